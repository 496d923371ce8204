"""Vouchers in the admin: rules that say what points are worth, and vouchers that only the ledger makes."""

from decimal import Decimal
from typing import Any

import pytest

from loyalty import ids
from points.models import AccountRef, PointDefinition
from rewards import vouchers
from rewards.models import RewardVoucher, VoucherRule
from tests.admin import pages
from tests.admin.conftest import Browser
from tests.points.till import NOON, Till


def form(definition: PointDefinition, /, **said: Any) -> dict[str, Any]:
    return {
        "definition": definition.pk,
        "conversion": "steps",
        "smallest_points": "100",
        "step_points": "50",
        "step_value": "0.25",
        "voucher_name": "Coffee money",
        "valid_months": "6",
        "is_active": "on",
    } | said


@pytest.fixture
def voucher(account: AccountRef, till: Till) -> RewardVoucher:
    VoucherRule.objects.create(definition=account.definition, point_value="0.01")
    till.award(555)
    return vouchers.convert(account=account, points=None, actor="key_till", at=NOON, voucher_id=ids.new_id())


def test_makes_a_rule(manager: Browser, definition: PointDefinition) -> None:
    answer = manager.post(pages.adding(VoucherRule), form(definition))

    assert answer.status_code == 302, pages.text(answer)
    rule = VoucherRule.objects.get(definition=definition)
    assert (rule.step_points, rule.step_value, rule.valid_months) == (50, Decimal("0.25"), 6)
    assert "0.25 EUR for each 50 points" in pages.text(manager.get(pages.listing(VoucherRule)))


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"step_value": ""}, "Say what the points are worth."),
        ({"conversion": "all"}, "Say what the points are worth."),
        ({"conversion": "all", "point_value": "0"}, "greater than or equal to 0.000001"),
        ({"smallest_points": "0"}, "greater than or equal to 0.01"),
        ({"step_points": "0.5"}, "at most 0 decimals"),
        ({"smallest_points": "99.5"}, "at most 0 decimals"),
        ({"valid_months": "0"}, "greater than or equal to 1"),
        ({"conversion": "some"}, "Select a valid choice."),
        ({"definition": ""}, "This field is required."),
    ],
)
def test_refuses_a_rule_that_makes_no_sense(
    manager: Browser, definition: PointDefinition, said: dict[str, str], complaint: str
) -> None:
    answer = manager.post(pages.adding(VoucherRule), form(definition, **said))

    assert complaint.lower() in pages.text(answer).lower()
    assert not VoucherRule.objects.filter(definition=definition).exists()


def test_changes_a_rule_but_not_whose_it_is(manager: Browser, definition: PointDefinition) -> None:
    rule = VoucherRule.objects.create(definition=definition, point_value="0.01")

    manager.post(pages.of(rule), form(definition, conversion="all", point_value="0.02", step_points="", step_value=""))

    rule.refresh_from_db()
    assert (rule.definition_id, rule.point_value, rule.voucher_name) == (definition.pk, Decimal("0.02"), "Coffee money")


def test_tells_the_story_of_a_voucher(viewer: Browser, voucher: RewardVoucher) -> None:
    listed = pages.text(viewer.get(pages.listing(RewardVoucher), {"q": voucher.number}))
    assert f"{voucher.number} Available 5.55 EUR 555 Alice Adams" in listed

    vouchers.redeem(program=voucher.program, voucher_id=voucher.pk, actor="key_till", at=NOON)
    page = pages.text(viewer.get(pages.of(voucher)))
    assert "Redeemed" in page
    assert "Made from points Ledger entry" in page
    assert "Redeemed key_till" in page


def test_is_changed_by_nobody(superuser: Browser, voucher: RewardVoucher) -> None:
    assert superuser.get(pages.adding(RewardVoucher)).status_code == 403
    assert superuser.post(pages.of(voucher), {"value": "1000"}).status_code == 403
    voucher.refresh_from_db()
    assert voucher.value == Decimal("5.55")
