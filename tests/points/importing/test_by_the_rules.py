"""Without --rate: the tiers, campaigns and caps hold as they would have at the till.

A new programme gives 2 points a unit, at most 10,000 a purchase; Silver begins at 500 points and earns 1.25 times.
"""

import datetime
import math
import threading
from decimal import Decimal

import pytest
from django.core.management import CommandError

from cards.models import Card, Customer
from points import rules
from points.models import Campaign, CampaignBudget, EarningRule, PointAccount, TierChange
from tests.points.importing.shop import ALICE_AND_BOB, SAMPLE, at, in_thread
from tiers.models import Tier, TierScheme

HEAD = "customer,date,amount\n"


@pytest.fixture
def purchases_rule(program) -> EarningRule:
    return EarningRule.objects.get(program=program, kind="purchase")


def publish(program, row, **changes) -> None:
    for name, value in changes.items():
        setattr(row, name, value)
    row.save()
    rules.publish(program=program, by="test")


def points(shop, customer="alice") -> list[Decimal]:
    return [entry.points for entry in shop.entries(customer) if entry.type == "award"]


def test_multiplies_by_the_tier_of_the_moment(shop):
    # The purchase that reaches Silver still earns as Bronze.
    report = shop.run(f"{HEAD}alice,2026-01-10,100\nalice,2026-01-11,200\nalice,2026-01-12,10.10\n", rate=None)
    assert points(shop) == [100 * 2, 200 * 2, 25]  # 10.10 * 2 * 1.25 = 25.25
    assert (report["Posted"], report["Points"]) == ("3", f"{200 + 400 + 25}")
    [_, _, third] = shop.entries("alice")
    assert (third.effective_at, third.transaction_date) == (at("2026-01-11T22:00Z"), at("2026-01-11T22:00Z"))
    assert third.metadata["amount"] == "10.10"
    assert third.metadata["calculation"]["tier"] == "silver"


def test_lets_a_tier_fall_by_the_clock_between_two_purchases(shop, program):
    publish(program, TierScheme.objects.get(program=program), basis="rolling", window_months=12)
    shop.run(f"{HEAD}alice,2024-01-10,300\nalice,2025-01-31,10\nalice,2025-02-01,10\n", rate=None)
    # January 2024 counts through January 2025.
    assert points(shop) == [600, 25, 20]
    changes = TierChange.objects.filter(program=program).order_by("effective_at")
    assert [change.effective_at for change in changes if change.from_tier_id and change.entry_id is None] == [
        at("2025-01-31T22:00Z")
    ]


def test_lowers_to_the_cap_of_a_transaction(shop):
    shop.run(f"{HEAD}alice,2026-01-10,1000000\n", rate=None)
    assert points(shop) == [10_000]


def test_gives_what_a_campaign_gave_on_the_day(shop, program):
    campaign = Campaign(program=program, code="january", name="January", factor=Decimal(3))
    publish(program, campaign, starts_at=at("2026-01-10T00:00+02:00"), ends_at=at("2026-02-01T00:00+02:00"))
    shop.run(f"{HEAD}alice,2026-01-09,5\nalice,2026-01-10,5\nalice,2026-02-01,5\n", rate=None)
    assert points(shop) == [5 * 2, 5 * 2 * 3, 5 * 2]


def test_gives_no_more_than_a_campaign_has(shop, program):
    campaign = Campaign(program=program, code="first", name="First", effect="add", points=Decimal(50))
    publish(program, campaign, first_purchase_only=True, most_in_all=Decimal(80))
    shop.run(f"{HEAD}alice,2026-01-09,5\nbob,2026-01-10,5\ncarol,2026-01-10,5\nalice,2026-01-11,5\n", rate=None)
    assert [points(shop, name) for name in ("alice", "bob", "carol")] == [[10 + 50, 10], [10 + 30], [10]]
    assert CampaignBudget.objects.get(campaign=campaign).given == 80


def test_imports_the_sample_to_the_point(shop):
    """Against a sum of its own, row by row in the order of the dates."""
    ladder = [(5000, Decimal(2)), (1500, Decimal("1.5")), (500, Decimal("1.25")), (0, Decimal(1))]
    earned: dict[str, int] = {}
    for customer, _, _, _, amount in sorted(map(str.split, SAMPLE.read_text().splitlines()), key=lambda row: row[2]):
        before = earned.get(customer, 0)
        multiplier = next(multiplier for threshold, multiplier in ladder if before >= threshold)
        earned[customer] = before + min(math.floor(Decimal(amount) * 2 * multiplier), 10_000)
    report = shop.run(SAMPLE, rate=None)
    assert report["Points"] == f"{sum(earned.values()):,}" == "526,328"
    accounts = PointAccount.objects.filter(program=shop.program)
    assert dict(accounts.values_list("customer__external_id", "lifetime_earned")) == earned
    assert accounts.filter(tier__code="gold").count() == sum(1500 <= points < 5000 for points in earned.values()) == 44


def test_posts_nothing_the_second_time(shop):
    shop.run(ALICE_AND_BOB, rate=None)
    report = shop.run(ALICE_AND_BOB, rate=None)
    assert (report["Posted"], report["Replayed"], report["Points"]) == ("0", "3", "0")
    assert shop.balances() == {"alice": 10 + 20, "bob": 60}


def test_knows_its_rows_when_the_rules_have_changed(shop, program, purchases_rule):
    shop.run(ALICE_AND_BOB, rate=None)
    publish(program, purchases_rule, rate=Decimal(4))
    report = shop.run(f"{ALICE_AND_BOB}bob,2026-02-02,1.00,B-2\n", rate=None)
    assert (report["Posted"], report["Replayed"], report["Bad"]) == ("1", "3", "0")
    assert shop.balances() == {"alice": 10 + 20, "bob": 60 + 4}


def test_knows_what_was_imported_at_a_rate(shop):
    shop.run(ALICE_AND_BOB, rate="7")
    assert shop.run(ALICE_AND_BOB, rate=None)["Replayed"] == "3"


def test_posts_nothing_for_a_customer_whose_rows_have_moved(shop):
    shop.run(f"{HEAD}alice,2026-01-10,5.00\nbob,2026-01-10,5\n", rate=None)
    # The same day, and an amount that earns the same points.
    report = shop.run(f"{HEAD}alice,2026-01-10,5.01\nalice,2026-01-10,5.0\nbob,2026-01-10,5.00\n", rate=None)
    assert (report["Posted"], report["Replayed"], report["Bad"]) == ("0", "1", "2")
    assert [reason for _, reason, _ in shop.bad()] == [
        "Row 1 of this customer was imported before, with another date or another amount.",
        "Another row of this customer differs from what was imported before.",
    ]
    assert shop.balances() == {"alice": 10, "bob": 10}


def test_counts_apart_what_earns_nothing(shop):
    report = shop.run(f"{HEAD}alice,2026-02-01,0.00\nalice,2026-02-01,0.49\nbob,2026-02-01,0.50\n", rate=None)
    assert (report["Earned nothing"], report["Posted"], report["Bad"]) == ("2", "1", "0")
    assert Card.objects.get(customer__external_id="alice", program=shop.program).status == "active"
    assert points(shop, "bob") == [1]


def test_leaves_what_earned_nothing_when_a_higher_tier_would_earn(shop):
    """0.45 * 2 = 0.9 as Bronze; as Silver it would be 1.125."""
    content = f"{HEAD}alice,2026-01-10,0.45\nalice,2026-01-11,300\n"
    shop.run(content, rate=None)
    report = shop.run(content, rate=None)
    assert (report["Earned nothing"], report["Replayed"], report["Posted"]) == ("1", "1", "0")
    # Corrected, it is another purchase; it counts from now on, and now is Silver.
    assert shop.run(content.replace("0.45", "1.00"), rate=None)["Posted"] == "1"
    assert points(shop) == [600, 2]  # 2.5


def test_leaves_what_earned_nothing_for_a_cap_that_was_used_up(shop, program, purchases_rule):
    publish(program, purchases_rule, most_per_day=Decimal(15))
    content = f"{HEAD}alice,2026-01-10,5\nalice,2026-01-10,5\nalice,2026-01-10,5\nalice,2026-01-11,5\n"
    first, second = shop.run(content, rate=None), shop.run(content, rate=None)
    assert points(shop) == [10, 15 - 10, 10]
    assert (first["Earned nothing"], first["Posted"]) == ("1", "3")
    assert (second["Earned nothing"], second["Posted"], second["Replayed"]) == ("1", "0", "3")


def test_tries_again_what_no_rule_held_for(shop, program, purchases_rule):
    publish(program, purchases_rule, starts_at=at("2026-01-15T00:00Z"))
    content = f"{HEAD}alice,2026-01-10,5\nalice,2026-01-20,5\n"
    assert shop.run(content, rate=None)["Earned nothing"] == "1"
    publish(program, purchases_rule, starts_at=None)
    assert shop.run(content, rate=None)["Posted"] == "1"
    assert points(shop) == [10, 10]


def test_lists_what_the_ledger_refuses(shop):
    shop.run(ALICE_AND_BOB, rate=None)
    Card.objects.filter(program=shop.program, customer__external_id="bob").update(status=Card.Status.BLOCKED)
    shop.run(f"{ALICE_AND_BOB}bob,2026-02-02,1.00,B-2\n", rate=None)
    assert shop.bad() == [(5, "The card is blocked.", "bob,2026-02-02,1.00,B-2")]


def test_says_that_there_is_no_rule(shop, program, purchases_rule):
    publish(program, purchases_rule, is_active=False)
    with pytest.raises(CommandError, match="has no rule for purchases: make one in the admin"):
        shop.run(ALICE_AND_BOB, rate=None)
    assert not Customer.objects.filter(program=program).exists()


def test_posts_the_same_when_two_run_at_once_as_when_one_does(shop):
    """Among 1,200 rows every fourth earns nothing as Bronze, which its customer still is when it is its turn."""
    start = datetime.date(2020, 1, 1)
    rows = [
        f"c{n % 60},{start + datetime.timedelta(days=n)},{'0.45' if n % 4 == 0 and n < 240 else '20'}"
        for n in range(1_200)
    ]
    shop.file.write_text(HEAD + "\n".join(rows))
    barrier = threading.Barrier(2)
    reports: list[dict[str, str]] = []

    def work() -> None:
        barrier.wait()
        reports.append(shop.run(shop.file, rate=None))

    threads = [threading.Thread(target=in_thread, args=[work]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = [
        [int(report[name].replace(",", "")) for name in ("Posted", "Replayed", "Earned nothing")] for report in reports
    ]
    assert [nothing for _, _, nothing in counts] == [60, 60]
    assert [posted + replayed for posted, replayed, _ in counts] == [1_200 - 60] * 2
    assert sum(posted for posted, _, _ in counts) == 1_200 - 60


def test_goes_by_the_newest_version_alone_between_two_others(shop, program):
    Tier.objects.filter(program=program, code="bronze").update(multiplier=3)
    rules.publish(program=program, by="test", at=at("2026-02-01T00:00Z"))
    Tier.objects.filter(program=program, code="bronze").update(multiplier=1)
    EarningRule.objects.filter(program=program, kind="purchase").update(rate=10)
    rules.publish(program=program, by="test")

    shop.run(f"{HEAD}alice,2026-02-10,10\n", rate=None)

    [entry] = shop.entries("alice")
    calculation = entry.metadata["calculation"]
    assert (entry.points, calculation["multiplier"], calculation["rule_version"]) == (10 * 10, "1", 3)
