import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import award_campaign, lists, load, measure, options, report, stage, sweep, web
from loyalty import embedded


def main() -> None:
    # The default action would leave the servers running.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    chosen = options.read()
    data_dir = Path(tempfile.mkdtemp(prefix="bench-", dir=chosen.directory))
    try:
        load.wrk()
        is_sound = _run(chosen, data_dir)
    except (load.LoadError, embedded.EmbeddedError) as error:
        sys.exit(f"make bench: {error}")
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    finally:
        shutil.rmtree(data_dir)
    # A ratio that is missed may be the machine's fault and is only said; an error never is.
    sys.exit(0 if is_sound else 1)


def _run(chosen: options.Options, data_dir: Path) -> bool:
    started_at = time.monotonic()
    if chosen.only:
        return {"sweep": _run_sweep, "campaign": _run_campaign}[chosen.only](chosen, data_dir)
    _say(f"Making {chosen.accounts:,} accounts without a past, and with {chosen.entries:,} entries")
    with contextlib.ExitStack() as stack:
        built = stack.enter_context(stage.running(chosen, data_dir))
        services = [
            stack.enter_context(web.serving(database, port=chosen.port + number, log=data_dir / f"{database.name}.log"))
            for number, database in enumerate((built.none, built.loaded))
        ]
        results = measure.run(built, services, say=_say)
        memory = [service.memory() for service in services]
        with web.serving(built.long, port=chosen.port + 2, log=data_dir / f"{built.long.name}.log") as service:
            pages = lists.run(built, service, say=_say)
        sweeps = sweep.run(built, data_dir=data_dir, say=_say)
        campaigns = award_campaign.run(built, data_dir=data_dir, say=_say)
        _say("Verifying the ledgers")
        databases = (built.none, built.loaded, built.long, built.swept, built.swept_large, built.campaign)
        are_clean = [_verify(database) for database in databases]
        if results.errors:
            _say("".join(path.read_text(errors="replace")[-2000:] for path in data_dir.glob("*.log")))
    _say(_tables(chosen, results, memory, pages, seconds=time.monotonic() - started_at))
    _say(
        "\n".join(["", *report.sweeps(sweeps, results.yardstick), "", *report.campaigns(campaigns, results.yardstick)])
    )
    if results.errors:
        _say(f"{results.errors} errors")
    return all(are_clean) and not results.errors


def _run_sweep(chosen: options.Options, data_dir: Path) -> bool:
    _say(
        f"Making {chosen.accounts_due:,} accounts of {options.LOTS_DUE} lots that are due, "
        f"alone and among {options.LARGER} times as many"
    )
    with stage.running(chosen, data_dir) as built:
        load.on_the_database(built.yardstick, accounts=chosen.accounts, seconds=1)
        rate = load.on_the_database(built.yardstick, accounts=chosen.accounts, seconds=chosen.seconds)
        sweeps = sweep.run(built, data_dir=data_dir, say=_say)
        are_clean = [_verify(database) for database in (built.swept, built.swept_large)]
    _say("\n".join(["", f"Yardstick: pgbench makes {rate:,.0f} postings/s", "", *report.sweeps(sweeps, [rate])]))
    return all(are_clean)


def _run_campaign(chosen: options.Options, data_dir: Path) -> bool:
    _say(f"Making {chosen.accounts:,} customers")
    with stage.running(chosen, data_dir) as built:
        load.on_the_database(built.yardstick, accounts=chosen.accounts, seconds=1)
        rate = load.on_the_database(built.yardstick, accounts=chosen.accounts, seconds=chosen.seconds)
        campaigns = award_campaign.run(built, data_dir=data_dir, say=_say)
        is_clean = _verify(built.campaign)
    _say("\n".join(["", f"Yardstick: pgbench makes {rate:,.0f} postings/s", "", *report.campaigns(campaigns, [rate])]))
    return is_clean


def _verify(database: stage.Database) -> bool:
    environment = {**os.environ, "DATABASE_URL": database.owner_url}
    command = [sys.executable, "manage.py", "verify_ledger"]
    return subprocess.run(command, cwd=web.ROOT, env=environment, check=False).returncode == 0


def _tables(
    chosen: options.Options,
    results: measure.Results,
    memory: list[list[web.Memory]],
    pages: dict[lists.Case, list[float]],
    *,
    seconds: float,
) -> str:
    rates = results.yardstick
    lines = [
        "",
        f"Medians of {chosen.rounds} rounds of {chosen.seconds} s, {options.CONNECTIONS} connections, "
        f"{os.cpu_count()} cores, {chosen.accounts:,} accounts; {seconds / 60:.1f} minutes in all.",
        "",
        f"Yardstick: pgbench makes {statistics.median(rates):,.0f} postings/s ({min(rates):,.0f} to {max(rates):,.0f})",
        "",
        "Without a past",
        *report.samples(results, stage.NONE),
        "",
        f"With {chosen.entries:,} entries",
        *report.samples(results, stage.LOADED),
        "",
    ]
    for name, processes in zip(("without a past", "with entries"), memory, strict=True):
        sizes = ", ".join(f"{process.peak:.0f} ({process.share:.0f})" for process in processes)
        lines.append(f"Server {name}, MiB of each process at its peak (now, shared pages split): {sizes}")
    lines += ["", *report.targets(results, [process for processes in memory for process in processes])]
    lines += ["", *report.lists(pages, entries=chosen.entries)]
    return "\n".join(lines)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
