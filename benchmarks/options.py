"""How long and how much is measured; a quick look needs less than a result."""

import dataclasses
import os
import sys

# What is measured is fixed, so that two runs can be compared.
CONNECTIONS = 8
BULK_ITEMS = 1000
LOTS = 60
HISTORY_PAGE = 20
LIST_PAGE = 100
SHORT_LIST = 100
REWARDS = 100
LOTS_DUE = 5
LARGER = 10


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the environment may change."""

    seconds: int
    rounds: int
    accounts: int
    entries: int
    lots: int
    port: int
    directory: str
    only: str

    @property
    def accounts_due(self) -> int:
        """How many accounts have lots that are due at once."""
        return self.lots // LOTS_DUE

    @property
    def accounts_of_lots(self) -> int:
        """How many further accounts have their points in 60 lots."""
        return self.accounts // 50


def read() -> Options:
    """This will read BENCH_SECONDS, BENCH_ROUNDS, BENCH_ACCOUNTS, BENCH_ENTRIES, BENCH_LOTS, BENCH_PORT,
    BENCH_DIR and BENCH_ONLY."""
    options = Options(
        seconds=_number("BENCH_SECONDS", default=5, lowest=1),
        rounds=_number("BENCH_ROUNDS", default=5, lowest=1),
        accounts=_number("BENCH_ACCOUNTS", default=100_000, lowest=2_000),
        entries=_number("BENCH_ENTRIES", default=1_000_000, lowest=0),
        lots=_number("BENCH_LOTS", default=50_000, lowest=LOTS_DUE),
        port=_number("BENCH_PORT", default=8751, lowest=1),
        # Not the folder for temporary files: that one is often kept in memory, where a commit costs nothing.
        directory=os.environ.get("BENCH_DIR") or "/var/tmp",  # noqa: S108
        only=_only(),
    )
    if options.entries % options.accounts:
        sys.exit("BENCH_ENTRIES must be a multiple of BENCH_ACCOUNTS: every account gets the same number of entries")
    if options.lots % LOTS_DUE:
        sys.exit(f"BENCH_LOTS must be a multiple of {LOTS_DUE}: every account has as many that are due")
    return options


def _only() -> str:
    only = os.environ.get("BENCH_ONLY", "")
    if only not in ("", "sweep", "campaign"):
        sys.exit(f"BENCH_ONLY is {only!r}: use sweep or campaign, or leave it out to measure everything")
    return only


def _number(name: str, *, default: int, lowest: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or int(text) < lowest:
        sys.exit(f"{name} is {text!r}: use a whole number from {lowest}")
    return int(text)
