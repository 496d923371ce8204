"""Rewards and codes in the admin: what staff offer, and what they do with a code for a customer."""

from decimal import Decimal
from typing import Any

import pytest

from loyalty import ids
from loyalty.models import Program
from points.models import AccountRef, PointDefinition
from rewards import catalogue, redemptions
from rewards.models import Redemption, RedemptionEvent, Reward
from tests.admin import pages
from tests.admin.conftest import VIEWER, Browser, staff
from tests.api.management.conftest import make_program
from tests.factories import make_definition
from tests.points.till import NOON, Till, days
from tests.rewards.shop import Shop


@pytest.fixture
def reward(program: Program) -> Reward:
    return catalogue.create(
        program=program, name="Five euros off", points_cost=Decimal(200), discount_amount=Decimal(5), stock=10
    )


@pytest.fixture
def code(program: Program, account: AccountRef, till: Till, reward: Reward) -> Redemption:
    till.award(500)
    return Shop(program).redeem(till, reward)


def form(definition: PointDefinition, /, **said: Any) -> dict[str, Any]:
    return {
        "program": definition.program_id,
        "definition": definition.pk,
        "name": "Coffee",
        "points_cost": "150",
        "stock": "",
        "initial-stock": "",
        "lapse": "return",
        "is_active": "on",
    } | said


def test_offers_a_reward(manager: Browser, definition: PointDefinition) -> None:
    answer = manager.post(pages.adding(Reward), form(definition, discount_percent="12.5", stock="20"))

    assert answer.status_code == 302, pages.text(answer)
    reward = Reward.objects.get(program=definition.program)
    assert (reward.points_cost, reward.stock, reward.lapse, reward.currency) == (150, 20, "return", "EUR")
    assert "Coffee Offered 150 Points 12.5% 20" in pages.text(manager.get(pages.listing(Reward)))


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"points_cost": "0"}, "greater than or equal to 0.01"),
        ({"points_cost": "99.5"}, "at most 0 decimals"),
        ({"points_cost": ""}, "This field is required."),
        ({"definition": ""}, "This field is required."),
        ({"program": "", "min_tier": "gold"}, "This field is required."),
        ({"discount_amount": "5", "discount_percent": "5"}, "an amount or a part, not both"),
        ({"discount_percent": "101"}, "less than or equal to 100"),
        ({"stock": "-1"}, "greater than or equal to 0"),
        ({"per_customer_limit": "0"}, "greater than or equal to 1"),
        ({"code_valid_days": "0"}, "greater than or equal to 1"),
        ({"min_tier": "copper"}, "There is no such tier."),
        ({"currency": "euro"}, "Ensure this value has at most 3 characters"),
        (
            {"valid_from_0": "2026-01-02", "valid_from_1": "00:00", "valid_to_0": "2026-01-02", "valid_to_1": "00:00"},
            "It must end after it starts.",
        ),
    ],
)
def test_refuses_a_reward_that_makes_no_sense(
    manager: Browser, definition: PointDefinition, said: dict[str, str], complaint: str
) -> None:
    answer = manager.post(pages.adding(Reward), form(definition, **said))

    assert complaint.lower() in pages.text(answer).lower()
    assert not Reward.objects.filter(program=definition.program).exists()


def test_is_not_bought_with_points_of_another_programme(manager: Browser, definition: PointDefinition) -> None:
    theirs = make_definition(make_program(), code="miles")

    answer = manager.post(pages.adding(Reward), form(definition, definition=theirs.pk))

    assert "These points are of another programme." in pages.text(answer)
    assert not Reward.objects.filter(program=definition.program).exists()


def test_leaves_the_stock_alone_that_is_sold_meanwhile(
    manager: Browser, definition: PointDefinition, reward: Reward, code: Redemption
) -> None:
    page = manager.get(pages.of(reward)).content.decode()
    assert 'name="initial-stock" value="9"' in page
    said = form(
        definition, name="Six euros off", points_cost="200", discount_amount="5", lapse="forfeit", currency="EUR"
    )

    # The page was opened when there were ten.
    manager.post(pages.of(reward), said | {"stock": "10", "initial-stock": "10"})
    reward.refresh_from_db()
    assert (reward.name, reward.stock) == ("Six euros off", 9)

    manager.post(pages.of(reward), said | {"stock": "50", "initial-stock": "9"})
    reward.refresh_from_db()
    assert (reward.stock, reward.definition) == (50, definition)


def test_keeps_its_programme_and_points(manager: Browser, definition: PointDefinition, reward: Reward) -> None:
    other = make_definition(definition.program, code="miles")

    manager.post(pages.of(reward), form(definition, definition=other.pk, name="Renamed", points_cost="200"))

    reward.refresh_from_db()
    assert (reward.name, reward.definition) == ("Renamed", definition)


def test_says_whether_a_reward_is_to_be_had(viewer: Browser, program: Program) -> None:
    for name, said in {"Gone": {"stock": 0}, "Off": {"is_active": False}, "Late": {"valid_to": NOON}}.items():
        catalogue.create(program=program, name=f"{name} {program.slug}", points_cost=Decimal(1), **said)
    listed = pages.text(viewer.get(pages.listing(Reward), {"q": program.slug}))
    for told in (
        f"Gone {program.slug} Sold out",
        f"Off {program.slug} Not offered",
        f"Late {program.slug} Not offered",
    ):
        assert told in listed


@pytest.mark.parametrize("role", ["viewer", "adjuster"])
def test_only_a_manager_offers_rewards(
    request: pytest.FixtureRequest, definition: PointDefinition, reward: Reward, role: str
) -> None:
    somebody = request.getfixturevalue(role)
    assert somebody.get(pages.of(reward)).status_code == 200
    assert somebody.get(pages.adding(Reward)).status_code == 403
    assert somebody.post(pages.of(reward), form(definition, name="Mine")).status_code == 403
    reward.refresh_from_db()
    assert reward.name == "Five euros off"


def test_nobody_deletes_a_reward(superuser: Browser, reward: Reward) -> None:
    assert superuser.post(pages.of(reward, "delete"), {"post": "yes"}).status_code == 403
    assert Reward.objects.filter(pk=reward.pk).exists()


# Codes


def test_finds_a_code_as_it_is_read_out(viewer: Browser, code: Redemption) -> None:
    told = f"{code.code} Active Five euros off 200 Alice Adams"
    for term in (code.code, f" {code.code.lower()} ", ids.public("red", code.pk), code.customer.email):
        assert told in pages.text(viewer.get(pages.listing(Redemption), {"q": term})), term
    assert code.code not in pages.text(viewer.get(pages.listing(Redemption), {"q": "REDEEM-222222"}))
    assert viewer.get(pages.listing(Redemption), {"q": "a\0b"}).status_code == 200


def test_uses_a_code(adjuster: Browser, code: Redemption) -> None:
    asked = pages.text(adjuster.get(pages.of(code, "use")))
    assert "cannot be used again" in asked
    assert "Alice Adams" in asked

    answer = adjuster.post(pages.of(code, "use"), follow=True)

    page = pages.text(answer)
    assert f"Code {code.code} is used." in page
    assert "Used" in page
    event = RedemptionEvent.objects.get(redemption=code)
    assert (event.kind, event.actor) == ("used", f"staff:{adjuster.user.username}")
    assert "The code was used already." in pages.text(adjuster.post(pages.of(code, "use")))
    assert "The code was used already." in pages.text(adjuster.post(pages.of(code, "cancel")))
    assert RedemptionEvent.objects.filter(redemption=code).count() == 1


def test_cancels_a_code_and_tells_its_story(adjuster: Browser, till: Till, reward: Reward, code: Redemption) -> None:
    page = pages.text(adjuster.get(pages.of(code)))
    assert "Redeemed Ledger entry" in page
    assert "Takes off 5.00 EUR" in page

    page = pages.text(adjuster.post(pages.of(code, "cancel"), follow=True))

    assert f"Code {code.code} is cancelled." in page
    assert f"Cancelled Ledger entry staff:{adjuster.user.username}" in page
    reward.refresh_from_db()
    assert (till.balance, reward.stock) == (500, 10)
    assert adjuster.post(pages.of(code, "cancel")).status_code == 200
    assert till.history() == [("award", 500), ("redeem", -200), ("reverse", 200)]


def test_offers_nothing_to_do_with_a_code_that_has_ended(adjuster: Browser, code: Redemption) -> None:
    def deeds() -> list[str]:
        content = adjuster.get(pages.of(code)).content.decode()
        return [deed for deed in ("use", "cancel") if pages.of(code, deed) in content]

    assert deeds() == ["use", "cancel"]
    redemptions.use(program=code.program, reference=code.code, actor="till", at=NOON)
    assert deeds() == []


def test_writes_that_a_code_came_too_late(adjuster: Browser, program: Program, till: Till, reward: Reward) -> None:
    catalogue.change(program=program, reward_id=reward.pk, code_valid_days=1, lapse="return")
    till.award(500, at=days(-3))
    late = Shop(program).redeem(till, reward, at=days(-2))

    assert "Expired" in pages.text(adjuster.get(pages.of(late)))
    assert "The code has expired." in pages.text(adjuster.post(pages.of(late, "use")))
    assert till.balance == 500


@pytest.mark.parametrize("role", ["viewer", "manager"])
@pytest.mark.parametrize("deed", ["use", "cancel"])
def test_does_nothing_for_somebody_who_may_not(
    request: pytest.FixtureRequest, code: Redemption, role: str, deed: str
) -> None:
    somebody = request.getfixturevalue(role)
    assert somebody.get(pages.of(code)).status_code == 200
    assert pages.of(code, deed) not in somebody.get(pages.of(code)).content.decode()
    assert somebody.get(pages.of(code, deed)).status_code == 403
    assert somebody.post(pages.of(code, deed)).status_code == 403
    assert Redemption.objects.get(pk=code.pk).state(NOON) == Redemption.State.ACTIVE


def test_lets_using_and_cancelling_be_two_things(code: Redemption) -> None:
    cashier = staff("Carl", [*VIEWER, "use_redemption"])
    assert cashier.get(pages.of(code, "use")).status_code == 200
    assert cashier.get(pages.of(code, "cancel")).status_code == 403


def test_is_changed_by_nobody(superuser: Browser, code: Redemption) -> None:
    assert superuser.get(pages.adding(Redemption)).status_code == 403
    assert superuser.post(pages.of(code), {"points": "1"}).status_code == 403
    assert superuser.post(pages.of(code, "delete"), {"post": "yes"}).status_code == 403
    assert Redemption.objects.get(pk=code.pk).points == 200
