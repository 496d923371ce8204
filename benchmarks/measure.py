"""What is measured, and in which order: everything that is compared takes turns, because machines are noisy."""

import dataclasses
import time
from collections.abc import Callable

from benchmarks import load
from benchmarks.options import BULK_ITEMS
from benchmarks.stage import Database, Stage
from benchmarks.web import Service

QUIET_SECONDS = 0.2


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """A kind of request. `posts` is how many entries an answer of 2xx stands for, `items` how many items."""

    name: str
    kind: str
    posts: int = 0
    items: int = 1
    of_lots: bool = False
    by_rules: bool = False
    is_heard: bool = False


AWARD = Operation("award", "award", posts=1)
AWARD_KEYED = Operation("award with a key", "award_keyed", posts=1)
# The same, worked out from a purchase by rules and tiers, over the shop face.
AWARD_BY_RULES = Operation("award by rules", "award_by_rules", posts=1, by_rules=True)
# While a webhook endpoint waits: each has its event. Nothing is delivered meanwhile.
AWARD_HEARD = Operation("award with a webhook", "award", posts=1, is_heard=True)
REDEEM = Operation("redeem", "redeem", posts=1)
REDEEM_LOTS = Operation("redeem over 60 lots", "redeem_lots", posts=1, of_lots=True)
# One of a hundred rewards, each with a stock.
REDEEM_REWARD = Operation("redeem a reward", "redeem_reward", posts=1)
# A hold and its capture are a request each.
HOLD_CAPTURE = Operation("hold, capture", "hold_capture", posts=1)
BALANCE = Operation("balance", "balance")
# Pages that are as long whatever the past: only the accounts of 60 lots have 20 entries in both databases.
HISTORY = Operation("history page", "history", of_lots=True)
BULK = Operation("bulk of 1,000", "bulk", posts=BULK_ITEMS, items=BULK_ITEMS)
OPERATIONS = (
    *(AWARD, AWARD_HEARD, AWARD_KEYED, AWARD_BY_RULES, REDEEM, REDEEM_LOTS, REDEEM_REWARD, HOLD_CAPTURE),
    *(BALANCE, HISTORY, BULK),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """One sample of an operation, and how many of its answers have no entry in the ledger."""

    sample: load.Sample
    lost: int

    @property
    def errors(self) -> int:
        """Refused, unanswered, or acknowledged and not there."""
        return self.sample.refused + self.sample.unanswered + self.lost


@dataclasses.dataclass(slots=True)
class Results:
    """Every sample of a run, by round: the yardstick's postings a second, and by database and operation."""

    yardstick: list[float] = dataclasses.field(default_factory=list)
    of: dict[tuple[str, Operation], list[Result]] = dataclasses.field(default_factory=dict)

    @property
    def errors(self) -> int:
        """All errors of the run."""
        return sum(result.errors for results in self.of.values() for result in results)


def run(stage: Stage, services: list[Service], *, say: Callable[[str], None]) -> Results:
    """This will measure in rounds, after a second of everything that is thrown away."""
    options = stage.options
    results = Results()
    say("Warming up")
    fastest = {}
    for operation in OPERATIONS:
        warm = [_measure(stage, service, operation, seconds=1 if operation is not BULK else 5) for service in services]
        fastest[operation] = max(result.sample.rate for result in warm)
    for number in range(1, options.rounds + 1):
        say(f"Round {number} of {options.rounds}")
        results.yardstick.append(
            load.on_the_database(stage.yardstick, accounts=options.accounts, seconds=options.seconds)
        )
        for operation in OPERATIONS:
            for service in services if number % 2 else reversed(services):
                seconds = _seconds(stage, operation, fastest[operation])
                result = _measure(stage, service, operation, seconds=seconds)
                results.of.setdefault((service.database.name, operation), []).append(result)
                fastest[operation] = max(fastest[operation], result.sample.rate)
    return results


def _seconds(stage: Stage, operation: Operation, fastest: float) -> int:
    seconds = stage.options.seconds
    if operation is REDEEM_LOTS:
        # Each account pays once: no longer than there are some left.
        return max(1, min(seconds, int(stage.options.accounts_of_lots / (1.6 * fastest))))
    # What is under way at the end is not counted; of a bulk that would be much.
    return 2 * seconds if operation is BULK else seconds


def _measure(stage: Stage, service: Service, operation: Operation, *, seconds: int) -> Result:
    database = service.database
    cards, secret = stage.cards, stage.secret
    if operation.of_lots:
        cards = stage.cards_of_lots
    if operation.by_rules:
        cards, secret = stage.cards_of_rules, stage.secret_of_rules
    before = database.entries()
    if operation.is_heard:
        stage.subscribe(database)
    sample = load.over_http(
        operation.kind, service.url, secret=secret, cards=cards, seconds=seconds, rewards=stage.rewards
    )
    if not operation.posts:
        return Result(sample, lost=0)
    posted = _entries_when_quiet(database) - before
    if operation.is_heard:
        stage.unsubscribe(database)
    if operation is REDEEM_LOTS:
        stage.give_back(database)
    # Some of what was still under way at the end is posted and was never counted as answered: at most lost is none.
    return Result(sample, lost=max(0, (sample.requests - sample.refused) * operation.posts - posted))


def _entries_when_quiet(database: Database) -> int:
    last = -1
    while (entries := database.entries()) != last:
        last = entries
        time.sleep(QUIET_SECONDS)
    return last
