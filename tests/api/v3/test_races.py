"""Many callers at once, over real connections, on the accounts face."""

import random
import uuid
from collections import Counter
from typing import Any

from loyalty.models import Program
from points.models import PointAccount, PointTransaction
from rewards.models import RewardVoucher, VoucherRule
from tests.api.v3.system import System, done, verified
from tests.factories import CustomerFactory
from tests.points.threads import at_once


def test_posts_one_entry_for_an_id_that_is_sent_20_times(system: System) -> None:
    system.open()
    body = system.body("Addition", 12.5)
    answers = at_once(*[lambda: system.post("point-transactions", body)] * 20)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert PointTransaction.objects.filter(account_id=system.account.id).count() == 1
    assert system.balance == 12.5


def test_posts_one_of_two_transactions_that_claim_an_id(system: System) -> None:
    system.open()
    known = str(uuid.uuid4())
    answers = at_once(*[lambda n=n: system.add(n, transactionId=known) for n in (1, 2) * 5])
    assert Counter(answer.status_code for answer in answers) == {202: 5, 409: 5}
    assert PointTransaction.objects.filter(account_id=system.account.id).count() == 1


def test_makes_an_account_once(system: System) -> None:
    answers = at_once(*[system.open] * 10)
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]


def test_posts_rows_over_the_same_accounts_in_opposite_order(program: Program, usual: System) -> None:
    people = [str(one.pk) for one in CustomerFactory.create_batch(60, program=program)]
    rows = [usual.row(random.randint(1, 9), contactId=people[n % 60]) for n in range(300)]
    rows += [usual.row(-1, contactId=person) for person in people]
    answers = at_once(*[lambda: usual.rows(*rows), lambda: usual.rows(*rows[:300][::-1], *rows[300:])] * 3)
    assert [done(answer, 202)["accepted"] for answer in answers] == [360] * 6
    sums = Counter()
    for row in rows:
        sums[row["contactId"]] += 6 * row["amount"]
    balances = PointAccount.objects.filter(program=program).values_list("customer_id", "balance")
    assert {str(customer_id): balance for customer_id, balance in balances} == sums
    assert verified(program) == []


def test_spends_a_voucher_once(program: Program, usual: System) -> None:
    VoucherRule.objects.create(definition=usual.definition, point_value="0.01")
    usual.rows(usual.row(500))
    voucher = done(usual.post("reward-vouchers", {"contactId": usual.contact_id}), 201)
    answers = at_once(*[lambda: usual.post(f"reward-vouchers/{voucher['id']}/redeem")] * 20)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 19}


def test_turns_points_into_vouchers_once(program: Program, usual: System) -> None:
    VoucherRule.objects.create(definition=usual.definition, point_value="0.01")
    usual.rows(usual.row(500))
    body = {"contactId": usual.contact_id, "points": 100}
    keyed = at_once(*[lambda: usual.post("reward-vouchers", body, key="one")] * 8)
    assert len({answer.content for answer in keyed}) == 1
    free = at_once(*[lambda: usual.post("reward-vouchers", body)] * 10)
    assert Counter(answer.status_code for answer in free) == {201: 4, 400: 6}
    assert RewardVoucher.objects.filter(program=program).count() == 5
    assert usual.balance == 0
    assert verified(program) == []


def test_tells_as_many_pending_points_as_it_lists_while_they_are_cancelled(usual: System) -> None:
    usual.open()
    made = [done(usual.add(1, validFrom="2090-01-01"), 202)["id"] for _ in range(30)]

    def look() -> list[Any]:
        return [usual.told_list(filter=name, count=1000) for name in ("Pending", "Active") * 10]

    cancels = [lambda one=one: usual.transact("Cancellation", 1, cancels=one) for one in made[:12]]
    pages = [
        page for answer in at_once(*cancels, look, look, look, look) if isinstance(answer, list) for page in answer
    ]
    assert len(pages) == 4 * 20
    assert all(page["totalCount"] == len(page["items"]) for page in pages)
    assert len(usual.amounts(filter="Pending")) == 30 - 12
