import datetime
import uuid
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, ProgrammingError, connection, connections, transaction
from hypothesis import given
from hypothesis import strategies as st

from loyalty import errors
from loyalty.models import Program
from points import ledger
from rewards import vouchers
from rewards.models import RewardVoucher, VoucherEvent, VoucherRule
from tests.api.management.till import Till, data, error, nothing_moves
from tests.api.v3.system import System, done, refused, verified
from tests.factories import CardFactory

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def rule(usual: System) -> VoucherRule:
    """A point is worth a cent; a voucher takes 100 points or more."""
    return VoucherRule.objects.create(definition=usual.definition, point_value="0.01", smallest_points=100)


def convert(system: System, *, key: str | None = None, **body: Any) -> Any:
    return system.post("reward-vouchers", {"contactId": system.contact_id} | body, key=key)


@pytest.fixture
def voucher(usual: System, rule: VoucherRule) -> dict[str, Any]:
    usual.rows(usual.row(500))
    return done(convert(usual), 201)


def test_turns_all_points_into_money_at_a_value_each(usual: System, rule: VoucherRule) -> None:
    with time_machine.travel(NOON, tick=False):
        usual.rows(usual.row(555))
        told = done(convert(usual), 201)
        [entry] = usual.told_list(lang="en", count=1)["items"]
    assert told == {
        "id": told["id"],
        "voucherNumber": told["voucherNumber"],
        "name": "Reward voucher",
        "redeemed": False,
        "redeemedOn": None,
        "expiresOn": "2027-03-02T12:00:00Z",
        "value": {"amount": 5.55, "currency": "EUR"},
        "points": 555,
    }
    assert {name: entry[name] for name in ("type", "amount", "source", "description", "descriptionText")} == {
        "type": "Deduction",
        "amount": -555,
        "source": "RewardVoucher",
        "description": "@@(ConvertedToBonusCheck)",
        "descriptionText": "Points turned into a voucher",
    }
    assert usual.balance == 0


def test_turns_as_many_points_as_are_asked(usual: System, rule: VoucherRule) -> None:
    usual.rows(usual.row(500))
    assert done(convert(usual, points=120, definitionId=1), 201)["value"] == {"amount": 1.2, "currency": "EUR"}
    assert usual.balance == 500 - 120


def test_turns_whole_steps_into_money(usual: System, rule: VoucherRule) -> None:
    VoucherRule.objects.update(conversion="steps", step_points=200, step_value="2.50")
    usual.rows(usual.row(750))
    told = done(convert(usual), 201)
    assert (told["points"], told["value"]["amount"]) == (600, 3 * 2.5)
    assert usual.balance == 750 - 600
    assert set(refused(convert(usual, points=250), 400, "ValidationFailed")["fields"]) == {"points"}


def test_lowers_the_value_to_the_cent(usual: System, rule: VoucherRule) -> None:
    VoucherRule.objects.update(point_value="0.000999")
    usual.rows(usual.row(100_009))
    # 99.908991
    assert done(convert(usual), 201)["value"]["amount"] == 99.9


@pytest.mark.parametrize(
    ("balance", "points", "status", "code"),
    [
        (99, None, 400, "InsufficientPoints"),
        (0, None, 400, "InsufficientPoints"),
        (150, 151, 400, "InsufficientPoints"),
        (500, 99, 400, "ValidationFailed"),
        (500, 0, 400, "ValidationFailed"),
        (500, -100, 400, "ValidationFailed"),
        (500, 100.5, 400, "ValidationFailed"),
        (500, "100", 400, "ValidationFailed"),
    ],
)
def test_moves_nothing_where_it_refuses(  # noqa: PLR0917
    usual: System, rule: VoucherRule, balance: int, points: Any, status: int, code: str
) -> None:
    if balance:
        usual.rows(usual.row(balance))
    with nothing_moves(usual.program):
        refused(convert(usual, **({} if points is None else {"points": points})), status, code)
    assert not RewardVoucher.objects.filter(program=usual.program).exists()


def test_keeps_what_was_due_before_a_refusal(usual: System, rule: VoucherRule) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        usual.rows(usual.row(500, validTo=(NOON + DAY).isoformat()))
        clock.move_to(NOON + 2 * DAY)
        refused(convert(usual), 400, "InsufficientPoints")
        [expiry, _] = usual.told_list()["items"]
        assert expiry["createdOn"] == "2026-03-04T12:00:00Z"


def test_needs_a_rule(system: System, rule: VoucherRule, usual: System) -> None:
    system.rows(system.row(500))
    refused(convert(system, definitionId=2), 400, "VouchersNotActive")
    VoucherRule.objects.update(is_active=False)
    usual.rows(usual.row(500))
    refused(convert(usual), 400, "VouchersNotActive")


def test_answers_the_first_voucher_under_a_key(usual: System, rule: VoucherRule) -> None:
    usual.rows(usual.row(500))
    first = convert(usual, key="v-1")
    VoucherRule.objects.update(is_active=False)
    with nothing_moves(usual.program):
        again = convert(usual, key="v-1")
        assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
        refused(convert(usual, key="v-1", points=100), 422, "IdempotencyKeyReused")


def test_lists_vouchers_by_what_can_be_done_with_them(usual: System, rule: VoucherRule) -> None:
    def listed(path: str) -> list[str]:
        body = done(usual.get(f"reward-vouchers{path}", contactId=usual.contact_id))
        assert body["totalCount"] == body["count"] == len(body["items"])
        return [one["id"] for one in body["items"]]

    with time_machine.travel(NOON, tick=False) as clock:
        made = []
        for _ in range(3):
            usual.rows(usual.row(100))
            made.append(done(convert(usual), 201)["id"])
        done(usual.post(f"reward-vouchers/{made[1]}/redeem"))
        assert listed("") == made[::-1]
        assert listed("/available") == [made[2], made[0]]
        assert listed("/redeemed") == [made[1]]
        clock.move_to(NOON + 366 * DAY)
        assert listed("/available") == []
        assert listed("") == made[::-1]
    page = done(usual.get("reward-vouchers", contactId=usual.contact_id, offset=1, count=1))
    assert ([one["id"] for one in page["items"]], page["totalCount"]) == ([made[1]], 3)


def test_is_redeemed_once_and_reactivated_three_times(usual: System, voucher: dict[str, Any]) -> None:
    path = f"reward-vouchers/{voucher['id']}"
    refused(usual.post(f"{path}/reactivate"), 409, "RewardVoucherAlreadyActivated")
    for _ in range(3):
        redeemed = done(usual.post(f"{path}/redeem"))
        assert (redeemed["redeemed"], redeemed["redeemedOn"] is None) == (True, False)
        refused(usual.post(f"{path}/redeem"), 409, "RewardVoucherAlreadyRedeemed")
        assert done(usual.post(f"{path}/reactivate")) == voucher
    done(usual.post(f"{path}/redeem"))
    refused(usual.post(f"{path}/reactivate"), 409, "ReactivationLimitExceeded")
    kinds = VoucherEvent.objects.filter(voucher_id=voucher["id"]).order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["redeemed", "reactivated"] * 3 + ["redeemed"]


def test_answers_the_first_redemption_under_a_key(usual: System, voucher: dict[str, Any]) -> None:
    path = f"reward-vouchers/{voucher['id']}/redeem"
    first = usual.post(path, key="r-1")
    assert done(usual.post(path, key="r-1")) == first.json()


def test_cannot_be_redeemed_after_its_date(usual: System, rule: VoucherRule) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        usual.rows(usual.row(100))
        made = done(convert(usual), 201)
        clock.move_to(datetime.datetime(2027, 3, 2, 11, 59, 59, tzinfo=datetime.UTC))
        assert len(done(usual.get("reward-vouchers/available", contactId=usual.contact_id))["items"]) == 1
        clock.move_to(datetime.datetime(2027, 3, 2, 12, tzinfo=datetime.UTC))
        refused(usual.post(f"reward-vouchers/{made['id']}/redeem"), 409, "RewardVoucherExpired")


def test_keeps_its_value_whatever_the_rule_says_later(usual: System, voucher: dict[str, Any]) -> None:
    VoucherRule.objects.update(point_value="1", voucher_name="Other", valid_months=None)
    [told] = done(usual.get("reward-vouchers", contactId=usual.contact_id))["items"]
    assert told == voucher


def test_does_not_give_back_the_points_of_a_voucher_that_is_still_good(usual: System, voucher: dict[str, Any]) -> None:
    [entry] = usual.told_list(count=1)["items"]
    till = Till(usual.program, CardFactory(customer=usual.contact))
    newest = data(till.get(f"points/history/{till.card_id}"))["transactions"][0]
    with nothing_moves(usual.program):
        refused(usual.transact("Cancellation", 500, cancels=entry["id"]), 409, "TransactionNotCancellable")
        error(till.reverse(newest["id"]), 409, "NOT_REVERSIBLE")


def test_lets_a_voucher_of_another_system_be_cancelled(usual: System) -> None:
    usual.open()
    usual.add(100)
    paid = done(usual.deduct(40, source="RewardVoucher", description="@@(ConvertedToBonusCheck)"), 202)
    done(usual.transact("Cancellation", 40, cancels=paid["id"]), 202)
    assert usual.balance == 100


def test_knows_nothing_of_other_programmes(system: System, stranger: System, voucher: dict[str, Any]) -> None:
    for verb in ("redeem", "reactivate"):
        refused(stranger.post(f"reward-vouchers/{voucher['id']}/{verb}"), 404, "RewardVoucherNotFound")
        refused(system.post(f"reward-vouchers/{uuid.uuid4()}/{verb}"), 404, "RewardVoucherNotFound")
        refused(system.post(f"reward-vouchers/none/{verb}"), 404, "RewardVoucherNotFound")
    for path in ("", "/available", "/redeemed"):
        refused(stranger.get(f"reward-vouchers{path}", contactId=system.contact_id), 404, "ContactNotFound")
    refused(convert(stranger, contactId=system.contact_id), 404, "ContactNotFound")
    refused(convert(stranger, definitionId=9), 404, "PointDefinitionNotFound")


def test_needs_a_scope_of_its_own(program: Program, usual: System, voucher: dict[str, Any]) -> None:
    till = System(program, usual.contact, usual.definition, scopes=["points:read", "points:manage"])
    with nothing_moves(program):
        for path in ("reward-vouchers", f"reward-vouchers/{voucher['id']}/redeem"):
            assert refused(till.post(path), 403, "Forbidden") == {"requiredPermissions": ["rewards:manage"]}
    assert done(till.get("reward-vouchers", contactId=till.contact_id))["totalCount"] == 1


def test_is_refused_by_the_database_what_must_not_be(program: Program, voucher: dict[str, Any]) -> None:
    changes = [
        "UPDATE rewards_rewardvoucher SET value = 1000 WHERE id = %s",
        "DELETE FROM rewards_rewardvoucher WHERE id = %s",
        "UPDATE rewards_voucherevent SET kind = 'redeemed' WHERE voucher_id = %s",
    ]
    for sql in changes:
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(using="owner"):
            connections["owner"].cursor().execute(sql, [voucher["id"]])
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            connection.cursor().execute(sql, [voucher["id"]])
    with pytest.raises(IntegrityError, match="voucher_reactivated_at_most_3_times"), transaction.atomic(using="owner"):
        connections["owner"].cursor().execute(
            "UPDATE rewards_rewardvoucher SET reactivations = 4 WHERE id = %s", [voucher["id"]]
        )
    assert verified(program) == []


POINTS = st.decimals(min_value="0.01", max_value="9999999", places=2)


@given(
    rule=st.builds(
        VoucherRule,
        conversion=st.sampled_from(["all", "steps"]),
        smallest_points=POINTS,
        point_value=st.decimals(min_value="0.000001", max_value="10", places=6),
        step_points=POINTS,
        step_value=st.decimals(min_value="0.01", max_value="1000", places=2),
    ),
    balance=st.decimals(min_value=0, max_value="9999999", places=2),
    asked=st.none() | POINTS,
)
def test_never_takes_more_than_there_is_nor_gives_more_than_it_is_worth(
    rule: VoucherRule, balance: Decimal, asked: Decimal | None
) -> None:
    try:
        made = vouchers.work_out(rule, balance=balance, asked=asked)
    except (ledger.InsufficientPoints, errors.InvalidPoints):
        return
    assert rule.smallest_points <= made.points <= balance or rule.conversion == "steps"
    assert 0 < made.points <= balance
    assert asked in (None, made.points)
    if rule.conversion == "steps":
        assert made.value * rule.step_points == made.points * rule.step_value
    else:
        worth = made.points * rule.point_value
        assert worth - Decimal("0.01") < made.value <= worth
