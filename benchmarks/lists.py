"""Pages of an account's list: how many times as long they take where there are 1,000,000 entries instead of 100."""

import dataclasses
import itertools
import json
import urllib.request
from collections.abc import Callable

from benchmarks import load
from benchmarks.options import LIST_PAGE
from benchmarks.stage import CUSTOMER_ID, Stage
from benchmarks.web import Service

PENDING = 10
SECONDS = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """A page of a list, in one order, of what a filter selects."""

    filter: str
    sort: str
    is_last: bool

    def __str__(self) -> str:
        return f"{'last' if self.is_last else 'first'} page, {self.filter.lower()}, by {self.sort}"


CASES = [
    Case(*chosen)
    for chosen in itertools.product(("All", "Active", "Pending"), ("TransactionDate", "CreatedOn"), (False, True))
]


def run(stage: Stage, service: Service, *, say: Callable[[str], None]) -> dict[Case, list[float]]:
    """This will answer, by case and round, how many times as many pages of the short list a second are told as of the
    long one.

    Raises:
        load.LoadError: a page was refused, or not answered.
    """
    accounts = stage.account_ids_of_lists()
    for number in stage.cards_of_lists:
        _make_pending(stage, service, f"{CUSTOMER_ID}{number:012x}")
    pages = {(case, account): _page(stage, service, account, case) for case in CASES for account in accounts}
    found: dict[Case, list[float]] = {case: [] for case in CASES}
    for number in range(stage.options.rounds + 1):
        if number:
            say(f"Round {number} of {stage.options.rounds} of lists")
        for case in CASES:
            order = accounts if number % 2 else accounts[::-1]
            rates = {account: _rate(stage, service, pages[case, account]) for account in order}
            # The first round is thrown away.
            if number:
                found[case].append(rates[accounts[0]] / rates[accounts[1]])
    return found


def _make_pending(stage: Stage, service: Service, contact_id: str) -> None:
    row = {"contactId": contact_id, "definitionId": 1, "amount": 1, "source": "Purchase", "description": "Order"}
    rows = [row | {"validFrom": "2090-01-01", "timeStamp": "2026-01-02"}] * PENDING
    told = _call(stage, service, "/api/v3/point-accounts/transactions", json.dumps(rows).encode())
    if told["accepted"] != PENDING:
        raise load.LoadError(f"pending points were refused: {told}")


def _page(stage: Stage, service: Service, account_id: str, case: Case) -> str:
    path = f"/api/v3/point-transactions?id={account_id}&count={LIST_PAGE}&filter={case.filter}&sortBy={case.sort}"
    if not case.is_last:
        return path
    total = _call(stage, service, path)["totalCount"]
    return f"{path}&offset={max(total - LIST_PAGE, 0)}"


def _rate(stage: Stage, service: Service, page: str) -> float:
    sample = load.over_http("page", service.url, secret=stage.secret, cards=(0, 0), seconds=SECONDS, page=page)
    if sample.refused or sample.unanswered:
        raise load.LoadError(f"{sample.refused} refused, {sample.unanswered} unanswered: {page}")
    return sample.rate


def _call(stage: Stage, service: Service, path: str, body: bytes | None = None) -> dict:
    headers = {"Authorization": f"Bearer {stage.secret}", "Content-Type": "application/json"}
    request = urllib.request.Request(service.url + path, data=body, headers=headers)  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return json.load(answer)
