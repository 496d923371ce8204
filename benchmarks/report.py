"""The tables at the end: what was measured, and whether it is enough."""

import statistics
from collections.abc import Mapping, Sequence

from benchmarks import award_campaign, measure
from benchmarks.lists import Case
from benchmarks.measure import OPERATIONS, Operation, Results
from benchmarks.options import SHORT_LIST
from benchmarks.stage import LOADED, NONE
from benchmarks.sweep import Result
from benchmarks.web import Memory

# The least that is expected: times the yardstick's postings a second, as requests or items a second.
OF_THE_YARDSTICK = {measure.AWARD: 0.20, measure.REDEEM: 0.16, measure.BALANCE: 0.35, measure.BULK: 2.0}
WITH_ENTRIES = 0.9
# The least that is expected of an award beside which more is done, times awards a second.
OF_AN_AWARD = {measure.AWARD_BY_RULES: 0.9, measure.AWARD_HEARD: 0.85}
MOST_MEMORY = 150
MOST_OF_A_LONG_LIST = 5.0
LARGER_LEDGER = 0.9
LONGEST_WAIT = 100
OF_A_CAMPAIGN = 3.0
SERVED_MEANWHILE = 0.5


def samples(results: Results, database: str) -> list[str]:
    """This will write the lines of what was measured on a database: medians of the rounds."""
    lines = [
        f"{'':22}{'requests/s':>11}{'items/s':>10}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'errors':>8}   x yardstick"
    ]
    for operation in OPERATIONS:
        found = results.of[database, operation]
        rate = statistics.median(result.sample.rate for result in found)
        p50, p95, p99 = (
            statistics.median(getattr(result.sample, name) for result in found) for name in ("p50", "p95", "p99")
        )
        lines.append(
            f"{operation.name:22}{rate:11,.1f}{rate * operation.items:10,.0f}{p50:9.1f}{p95:9.1f}{p99:9.1f}"
            f"{sum(result.errors for result in found):8}   {_spread(_of_yardstick(results, database, operation))}"
        )
    return lines


def targets(results: Results, memory: Sequence[Memory]) -> list[str]:
    """This will write the lines that compare what was measured with what is expected."""
    lines = [f"{'':44}{'at least':>9}   {'measured, median (spread)':28}"]
    for operation, least in OF_THE_YARDSTICK.items():
        ratios = _of_yardstick(results, NONE, operation)
        lines.append(_line(f"{operation.name}, x yardstick", least, ratios))
    for operation, least in OF_AN_AWARD.items():
        for database in (NONE, LOADED):
            ratios = [
                other.sample.rate / award.sample.rate
                for other, award in zip(
                    results.of[database, operation], results.of[database, measure.AWARD], strict=True
                )
            ]
            past = " with entries" if database == LOADED else ""
            lines.append(_line(f"{operation.name} : award{past}", least, ratios))
    for operation in OPERATIONS:
        ratios = [
            loaded.sample.rate / none.sample.rate
            for loaded, none in zip(results.of[LOADED, operation], results.of[NONE, operation], strict=True)
        ]
        lines.append(_line(f"{operation.name}, with entries : without", WITH_ENTRIES, ratios))
    if memory:
        peak = max(process.peak for process in memory)
        lines.append(
            f"{'largest server process, MiB at its peak':44}{'< 150':>9}   {peak:<28.0f}{_verdict(peak < MOST_MEMORY)}"
        )
    return lines


def lists(pages: Mapping[Case, Sequence[float]], *, entries: int) -> list[str]:
    """This will write the lines that compare pages of a long list with those of a short one."""
    lines = [
        f"{f'A list of {entries:,} : one of {SHORT_LIST}, as time':44}{'at most':>9}   {'measured, median (spread)':28}"
    ]
    for case, ratios in pages.items():
        verdict = _verdict(statistics.median(ratios) <= MOST_OF_A_LONG_LIST)
        lines.append(f"{case!s:44}{MOST_OF_A_LONG_LIST:9.2f}   {_spread(ratios):28}{verdict}")
    return lines


def sweeps(results: Sequence[Result], yardstick: Sequence[float]) -> list[str]:
    """This will write the lines of the sweeps, of the smaller ledger first, and whether they are as expected."""
    lines = [
        f"{'Lots, accounts':22}{'lots/s':>9}{'seconds':>9}{'MiB':>6}   {'x yardstick':13}"
        f"{'waits of a till, ms: p50, p99, longest':40}{'before':15}for a lock"
    ]
    for result in results:
        name, ratio = f"{result.lots:,} of {result.accounts:,}", result.rate / statistics.median(yardstick)
        lines += [
            f"{name:22}{result.rate:9,.0f}{result.seconds:9,.1f}{result.memory:6.0f}   {ratio:<13.2f}"
            f"{_waits(result.waits):40}{_waits(result.waits_before):15}{result.longest:.0f}"
        ]
    small, large = results
    longest = max(result.longest for result in results)
    most, verdict = f"< {LONGEST_WAIT}", _verdict(longest < LONGEST_WAIT)
    return [
        *lines,
        "",
        _line("sweep, ten times the ledger : one", LARGER_LEDGER, [large.rate / small.rate]),
        f"{'longest wait for a lock, ms':44}{most:>9}   {longest:<28.0f}{verdict}",
    ]


def campaigns(results: tuple[award_campaign.Result, award_campaign.Result], yardstick: Sequence[float]) -> list[str]:
    """This will write the lines of an award campaign, alone and while tills post, and whether they are as expected."""
    alone, beside = results
    lines = [f"{'Award campaign':22}{'customers/s':>12}{'seconds':>9}{'MiB':>6}   x yardstick"]
    for name, result in (("alone", alone), ("while tills post", beside)):
        ratio = result.rate / statistics.median(yardstick)
        lines.append(f"{name:22}{result.rate:12,.0f}{result.seconds:9,.1f}{result.memory:6.0f}   {ratio:.2f}")
    return [
        *lines,
        "",
        _line("award campaign, x yardstick", OF_A_CAMPAIGN, [alone.rate / rate for rate in yardstick]),
        _line("awards of tills meanwhile : before", SERVED_MEANWHILE, [beside.served]),
    ]


def _waits(waits: Sequence[float]) -> str:
    p50, p99 = statistics.median(waits), statistics.quantiles(waits, n=100, method="inclusive")[-1]
    return f"{p50:.0f}, {p99:.0f}, {max(waits):.0f}"


def _of_yardstick(results: Results, database: str, operation: Operation) -> list[float]:
    return [
        result.sample.rate * operation.items / yardstick
        for result, yardstick in zip(results.of[database, operation], results.yardstick, strict=True)
    ]


def _line(name: str, least: float, ratios: Sequence[float]) -> str:
    return f"{name:44}{least:9.2f}   {_spread(ratios):28}{_verdict(statistics.median(ratios) >= least)}"


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "MISSED"
