import functools
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from cards.models import Card
from loyalty.models import Program
from points import rules
from points.models import AccountRef, PointTransaction, TierChange
from points.rule_models import EarningRule
from tests.api.management.till import nothing_moves
from tests.factories import CardFactory, CustomerFactory, make_definition
from tests.points.threads import at_once
from tests.points.till import Till
from tiers.models import Tier


@pytest.fixture
def card(program: Program) -> Card:
    """A card of a programme with the tiers and rules that a new one gets."""
    make_definition(program)
    rules.give_defaults(program=program, by="test")
    return CardFactory(customer=CustomerFactory(program=program))


def award(
    client: APIClient, card: Card, *, to: str = "award", locale: str = "en", key: str | None = None, **body: Any
) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"card_id": card.serial, "transaction_type": "purchase"} | body
    return client.post(f"/{locale}/shop/points/{to}", body, format="json", headers=headers)


def data(answer: Any, status: int = 201) -> dict[str, Any]:
    body = answer.json()
    assert (answer.status_code, body["success"]) == (status, True), body
    return body["data"]


def faults(answer: Any) -> dict[str, Any]:
    body = answer.json()
    assert (answer.status_code, body["success"], body["code"]) == (422, False, "VALIDATION_ERROR"), body
    return body["errors"]


def test_answers_as_the_contract_says(client: APIClient, card: Card) -> None:
    data(award(client, card, transaction_type="manual", points=250))
    answer = award(client, card, purchase_amount=25.99, description="Coffee", metadata={"order_id": 77, "till": 3})
    told = data(answer)
    entry = PointTransaction.objects.get(serial=told["transaction"]["id"])
    assert told == {
        "transaction": {
            "id": entry.serial,
            "points_awarded": 51,
            "transaction_type": "purchase",
            "description": "Coffee",
            "created_at": entry.created_at.isoformat().replace("+00:00", "Z"),
        },
        "balance": {
            "current_points": 250 + 51,
            "previous_points": 250,
            "tier": "Bronze",
            "tier_upgraded": False,
            "next_tier_points": 500 - 250 - 51,
        },
    }
    assert answer.json()["message"] == "Points awarded successfully"
    assert entry.reference == "77"
    assert entry.metadata["till"] == 3


@pytest.mark.parametrize(("amount", "points"), [("25.99", 51), (1_000_000, 10_000), ("0.50", 1), (0.99, 1)])
def test_works_the_points_out(client: APIClient, card: Card, amount: Any, points: int) -> None:
    assert data(award(client, card, purchase_amount=amount))["transaction"]["points_awarded"] == points


def test_says_so_where_a_purchase_earns_nothing(client: APIClient, card: Card, program: Program) -> None:
    with nothing_moves(program):
        assert faults(award(client, card, purchase_amount=0.49)) == {"points": ["This earns no points."]}


def test_lifts_the_tier_with_the_award_that_reaches_it(client: APIClient, card: Card) -> None:
    answer = award(client, card, purchase_amount=250)
    assert answer.json()["message"] == "Points awarded successfully - Tier upgraded!"
    assert data(answer)["balance"] == {
        "current_points": 500,
        "previous_points": 0,
        "tier": "Silver",
        "tier_upgraded": True,
        "next_tier_points": 1500 - 500,
    }
    again = data(award(client, card, purchase_amount=100))
    assert (again["transaction"]["points_awarded"], again["balance"]["tier_upgraded"]) == (250, False)


def test_multiplies_for_gold(client: APIClient, card: Card) -> None:
    data(award(client, card, transaction_type="manual", points=1500))
    assert data(award(client, card, purchase_amount="25.99"))["transaction"]["points_awarded"] == 77


def test_points_that_are_sent_win_over_the_rules(client: APIClient, card: Card) -> None:
    assert data(award(client, card, purchase_amount=25.99, points=7))["transaction"]["points_awarded"] == 7
    assert "points" in faults(award(client, card, purchase_amount=25.99, points=10_001))


@pytest.mark.parametrize(
    ("activity", "points"), [("check_in", 5), ("review", 10), ("social_share", 3), ("app_download", 25)]
)
def test_awards_activities(client: APIClient, card: Card, activity: str, points: int) -> None:
    told = data(award(client, card, transaction_type="activity", activity=activity))
    assert told["transaction"]["points_awarded"] == points


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "purchase_amount"),
        ({"purchase_amount": 0}, "purchase_amount"),
        ({"purchase_amount": "abc"}, "purchase_amount"),
        ({"purchase_amount": True}, "purchase_amount"),
        ({"purchase_amount": 1.001}, "purchase_amount"),
        ({"purchase_amount": 10**20}, "purchase_amount"),
        ({"purchase_amount": 5, "points": -1}, "points"),
        ({"purchase_amount": 5, "points": 1.5}, "points"),
        ({"purchase_amount": 5, "points": 10**16}, "points"),
        ({"purchase_amount": 5, "card_id": "LC1"}, "card_id"),
        ({"purchase_amount": 5, "card_id": None}, "card_id"),
        ({"purchase_amount": 5, "description": "x" * 256}, "description"),
        ({"purchase_amount": 5, "metadata": []}, "metadata"),
        ({"transaction_type": "gift"}, "transaction_type"),
        ({"transaction_type": "activity", "activity": "dance"}, "points"),
        ({"transaction_type": "activity", "activity": "Dance/1", "points": 1}, "activity"),
        ({"transaction_type": "bonus", "metadata": {"campaign_id": "gone"}}, "points"),
        ({"transaction_type": "bonus"}, "points"),
        ({"transaction_type": "manual"}, "points"),
    ],
)
@pytest.mark.parametrize("to", ["award", "preview"])
def test_names_the_field_that_is_wrong(
    client: APIClient, card: Card, to: str, body: dict[str, Any], field: str
) -> None:
    with nothing_moves(card.program):
        assert list(faults(award(client, card, to=to, **body))) == [field]


def test_previews_what_an_award_gives(client: APIClient, card: Card, program: Program) -> None:
    with nothing_moves(program):
        told = data(award(client, card, to="preview", purchase_amount=25.99), 200)
    posted = data(award(client, card, purchase_amount=25.99))
    assert told["points"] == posted["transaction"]["points_awarded"] == 51
    entry = PointTransaction.objects.get(serial=posted["transaction"]["id"])
    # The shop calls a tier by its name.
    assert told["calculation"] == entry.metadata["calculation"] | {"tier": "Bronze"}
    assert (told["calculation"]["base"], told["calculation"]["tier"]) == ("51.98", "Bronze")


def test_speaks_lithuanian(client: APIClient, card: Card) -> None:
    # At Bronze, 0.49 earns floor(0.98).
    assert faults(award(client, card, locale="lt", purchase_amount=0.49)) == {"points": ["Už tai taškų neskiriama."]}
    answer = award(client, card, locale="lt", purchase_amount=250)
    assert answer.headers["Content-Language"] == "lt"
    assert answer.json()["message"] == "Taškai paskirti sėkmingai - Pakopa pakelta!"


def test_answers_the_first_award_when_replayed(client: APIClient, card: Card) -> None:
    first = award(client, card, purchase_amount=10, key="k1")
    again = award(client, card, purchase_amount=10, key="k1")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert award(client, card, purchase_amount=11, key="k1").json()["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert PointTransaction.objects.filter(card=card).count() == 1


def test_two_awards_over_a_threshold_lift_the_tier_once(client: APIClient, card: Card) -> None:
    data(award(client, card, transaction_type="manual", points=400))
    answers = at_once(*[functools.partial(award, client, card, purchase_amount=60)] * 2)
    lifted = [data(answer)["balance"]["tier_upgraded"] for answer in answers]
    assert sorted(lifted) == [False, True]
    assert TierChange.objects.filter(program=card.program).count() == 1


def test_another_programmes_card_is_none(client: APIClient, card: Card) -> None:
    other = Program.objects.create(slug=f"other-{card.program.slug}"[:50])
    stranger = CardFactory(customer=CustomerFactory(program=other))
    for serial in (stranger.serial, 999_999_999_999_999):
        answer = award(client, card, card_id=serial, purchase_amount=5)
        assert (answer.status_code, answer.json()["code"]) == (404, "CARD_NOT_FOUND")


def test_a_blocked_card_earns_nothing(client: APIClient, card: Card) -> None:
    Card.objects.filter(pk=card.pk).update(status=Card.Status.BLOCKED)
    answer = award(client, card, purchase_amount=5)
    assert (answer.status_code, answer.json()["code"]) == (403, "CARD_BLOCKED")


def test_a_cap_of_the_day_says_what_is_left(client: APIClient, card: Card, program: Program) -> None:
    EarningRule.objects.create(program=program, name="Bonus", kind="bonus", most_per_day=Decimal(100))
    rules.publish(program=program, by="test")
    data(award(client, card, transaction_type="bonus", points=60))
    refused = faults(award(client, card, transaction_type="bonus", points=41))
    assert refused == {"points": ["More than the limit of 100 points. Left of it: 40 points."]}
    data(award(client, card, transaction_type="bonus", points=40))


def test_costs_no_statement_more_than_an_award_without_rules(client: APIClient, card: Card, program: Program) -> None:
    def statements(work: Any) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            work()
        return [query["sql"].split("(")[0] for query in queries if not query["sql"].startswith("PREPARE")]

    plain = {"card_id": str(card.number), "points": 5, "reason": "Order"}
    for _ in range(2):
        by_rules = statements(lambda: data(award(client, card, purchase_amount=5)))
        without = statements(lambda: client.post("/api/points/award", plain, format="json"))
    assert len(by_rules) <= len(without)


def test_tells_the_first_tier_as_an_upgrade(client: APIClient, card: Card, program: Program) -> None:
    Tier.objects.filter(program=program, code="bronze").delete()
    rules.publish(program=program, by="test")
    below = data(award(client, card, transaction_type="manual", points=499))["balance"]
    assert (below["tier"], below["tier_upgraded"]) == (None, False)
    lifted = award(client, card, transaction_type="manual", points=1)
    assert lifted.json()["message"] == "Points awarded successfully - Tier upgraded!"
    assert (data(lifted)["balance"]["tier"], data(lifted)["balance"]["tier_upgraded"]) == ("Silver", True)


def test_goes_by_the_tier_also_where_other_points_count_for_it(client: APIClient, card: Card, program: Program) -> None:
    program.definitions.update(counts_for_tiers=False)
    kind = make_definition(program, counts_for_tiers=True)
    Till(AccountRef(program=program, definition=kind, customer_id=card.customer_id)).award(1500)
    told = data(award(client, card, purchase_amount=25.99))
    assert told["transaction"]["points_awarded"] == 77
    assert (told["balance"]["tier"], told["balance"]["tier_upgraded"]) == ("Gold", False)
    assert told["balance"]["next_tier_points"] == 5000 - 1500


def test_awards_what_is_sent_whatever_campaign_is_named(client: APIClient, card: Card) -> None:
    told = award(client, card, transaction_type="bonus", points=50, metadata={"campaign_id": "gone"})
    assert data(told)["transaction"]["points_awarded"] == 50
