"""Awards that the programme's rules work out, under the account's lock."""

import datetime
import functools
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cards.models import Card
from loyalty import idempotency
from loyalty.models import Program
from points import earning, ledger, rules
from points.models import AccountRef, CampaignBudget, TierChange
from points.rule_models import Campaign, EarningRule
from points.terms import Deed, Kind
from tests.factories import CardFactory, CustomerFactory, make_account, make_definition
from tests.points.threads import at_once
from tests.points.till import NOON, days

COFFEE = ledger.Note(reason="Coffee", actor="till")


@pytest.fixture
def shop(program: Program) -> Program:
    """A programme with the tiers and rules that a new one gets."""
    program.transaction_limit = None
    program.save(update_fields=["transaction_limit"])
    rules.give_defaults(program=program, by="test")
    return program


@pytest.fixture
def account(shop: Program) -> AccountRef:
    return make_account(shop)


def purchase(amount: str, *, at: datetime.datetime = NOON, **more) -> Deed:
    return Deed(kind=Kind.PURCHASE, amount=Decimal(amount), at=at, **more)


def earn(account: AccountRef, deed: Deed) -> ledger.Outcome:
    return ledger.earn(account=account, deed=deed, note=COFFEE, at=deed.at)


def earned(account: AccountRef, deed: Deed) -> Decimal:
    entry = earn(account, deed).entry
    assert entry is not None
    return entry.points


def test_earns_by_the_rule(account: AccountRef) -> None:
    outcome = earn(account, purchase("25.99"))
    assert outcome.entry is not None
    assert outcome.entry.points == 51  # 25.99 x 2 = 51.98
    assert outcome.entry.metadata == {
        "calculation": {
            "base": "51.98",
            "multiplier": "1",
            "tier": "bronze",
            "campaigns": [],
            "cap": None,
            "rule": "Purchases",
            "rule_version": 1,
            "points": "51",
        }
    }


def test_multiplies_by_the_tier_held_before_the_award_that_lifts_it(account: AccountRef) -> None:
    assert earned(account, purchase("200")) == 400
    outcome = earn(account, purchase("100"))
    assert outcome.entry is not None
    assert outcome.entry.points == 200
    assert outcome.is_upgraded
    assert outcome.progress is not None
    assert outcome.progress.rung is not None
    assert outcome.progress.rung.code == "silver"
    [change] = TierChange.objects.filter(account_id=account.id)
    assert change.entry_id == outcome.entry.pk
    assert earned(account, purchase("100")) == 250


def test_posts_nothing_for_what_earns_nothing(account: AccountRef) -> None:
    with pytest.raises(earning.NothingEarned):
        earn(account, purchase("0.49"))
    assert ledger.post_many([]) == []
    assert not account.definition.program.rulebooks.filter(version=2).exists()
    assert not TierChange.objects.filter(account_id=account.id).exists()


def test_a_cap_of_the_day_holds_until_midnight_where_the_shop_is(shop: Program) -> None:
    shop.timezone = "Europe/Vilnius"
    shop.save(update_fields=["timezone"])
    EarningRule.objects.filter(program=shop, activity="check_in").update(most_per_day=Decimal(12))
    rules.publish(program=shop, by="test")
    account = make_account(shop)

    def check_in(at: datetime.datetime) -> Decimal:
        return earned(account, Deed(kind=Kind.ACTIVITY, activity="check_in", at=at))

    noon = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
    assert [check_in(noon), check_in(noon), check_in(noon)] == [5, 5, 12 - 5 - 5]
    with pytest.raises(earning.CapExceeded):
        check_in(datetime.datetime(2026, 3, 2, 21, 59, 59, tzinfo=datetime.UTC))
    assert check_in(datetime.datetime(2026, 3, 2, 22, tzinfo=datetime.UTC)) == 5


def test_a_cap_of_the_day_is_exact_when_many_come_at_once(shop: Program) -> None:
    EarningRule.objects.filter(program=shop, activity="review").update(most_per_day=Decimal(45))
    rules.publish(program=shop, by="test")
    account = make_account(shop)
    deed = Deed(kind=Kind.ACTIVITY, activity="review", at=NOON)

    answers = at_once(*[lambda: earned(account, deed)] * 8)
    refused = [answer for answer in answers if isinstance(answer, earning.CapExceeded)]
    assert len(refused) == 8 - 5
    assert sorted(answer for answer in answers if isinstance(answer, Decimal)) == [5, 10, 10, 10, 10]


def test_a_campaign_gives_no_more_in_all_when_many_customers_come_at_once(shop: Program) -> None:
    campaign = Campaign.objects.create(
        program=shop, code="opening", name="Opening", effect="add", points=Decimal(30), most_in_all=Decimal(100)
    )
    rules.publish(program=shop, by="test")
    definition = make_account(shop).definition
    accounts = [
        AccountRef(program=shop, definition=definition, customer_id=CustomerFactory(program=shop).pk) for _ in range(8)
    ]
    given = at_once(*[functools.partial(earned, account, purchase("1")) for account in accounts])
    assert sorted(given) == [2, 2, 2, 2, 2 + 10, 2 + 30, 2 + 30, 2 + 30]
    assert CampaignBudget.objects.get(campaign=campaign).given == 100


def test_a_campaign_for_the_first_purchase_is_for_the_first_alone(shop: Program) -> None:
    Campaign.objects.create(
        program=shop, code="welcome", name="Welcome", factor=Decimal(3), first_purchase_only=True, effect="multiply"
    )
    rules.publish(program=shop, by="test")
    account = make_account(shop)
    assert [earned(account, purchase("10")), earned(account, purchase("10"))] == [60, 20]


def test_goes_by_the_rules_that_held_when_the_caller_asked(shop: Program) -> None:
    account = make_account(shop)
    before = earned(account, purchase("10"))
    EarningRule.objects.filter(program=shop, kind="purchase").update(rate=Decimal(5))
    assert (before, earned(account, purchase("10"))) == (20, 20)
    rules.publish(program=shop, by="test")
    assert earned(account, purchase("10")) == 50


def test_a_blocked_card_earns_nothing(shop: Program) -> None:
    customer = CustomerFactory(program=shop)
    card = CardFactory(customer=customer, status=Card.Status.BLOCKED)
    account = AccountRef(program=shop, definition=make_account(shop).definition, customer_id=customer.pk)
    note = ledger.Note(reason="Coffee", actor="till", card_id=card.pk)
    with pytest.raises(ledger.CardBlocked):
        ledger.earn(account=account, deed=purchase("10"), note=note, at=NOON)


def test_expires_as_its_campaign_says(shop: Program) -> None:
    Campaign.objects.create(
        program=shop,
        code="birthday",
        name="Birthday",
        kind="bonus",
        effect="add",
        points=Decimal(50),
        expires_after_days=7,
    )
    rules.publish(program=shop, by="test")
    account = make_account(shop)
    outcome = earn(account, Deed(kind=Kind.BONUS, campaign="birthday", at=NOON))
    assert outcome.entry is not None
    assert (outcome.entry.points, outcome.entry.expires_at) == (50, days(7))


def test_asks_for_the_tier_once_where_other_points_count_for_it(shop: Program) -> None:
    make_account(shop)
    other = make_account(shop, make_definition(shop))

    def statements_of(work: Any) -> int:
        work()
        with CaptureQueriesContext(connection) as queries:
            work()
        return sum(not query["sql"].startswith("PREPARE") for query in queries.captured_queries)

    def earn() -> None:
        deed = Deed(kind=Kind.PURCHASE, amount=Decimal(10), at=NOON)
        ledger.earn(account=other, deed=deed, note=COFFEE, at=NOON, render=lambda outcome: answer_of(outcome.progress))

    def answer_of(progress: Any) -> idempotency.Answer:
        assert progress.rung.code == "bronze"
        return idempotency.Answer(status=201, body=b"{}")

    plain = statements_of(lambda: ledger.award(account=other, points=Decimal(10), note=COFFEE, at=NOON))
    assert statements_of(earn) - plain <= 2
