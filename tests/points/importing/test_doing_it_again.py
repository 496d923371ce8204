"""A file that is imported again: nothing is posted twice."""

import threading
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from cards.models import Card, Customer
from loyalty.models import IdempotencyRecord
from points import definitions, purchase_files, purchases
from points.models import PointAccount
from rewards import persons
from tests.points.importing.shop import ALICE, ALICE_AND_BOB, BOB, in_thread, many_rows


def test_posts_nothing_the_second_time(shop):
    shop.run(ALICE_AND_BOB)
    report = shop.run(ALICE_AND_BOB)
    assert (report["Posted"], report["Replayed"], report["Points"]) == ("0", "3", "0")
    assert report["Customers"] == "2 (0 new)"
    assert shop.balances() == {"alice": ALICE, "bob": BOB}


def test_knows_its_rows_by_the_entries_alone(shop):
    """Answers under idempotency keys are purged after a while; they are not what a repetition hangs on."""
    shop.run(ALICE_AND_BOB)
    assert not IdempotencyRecord.objects.filter(owner_id__in=PointAccount.objects.filter(program=shop.program)).exists()


def test_posts_what_the_file_has_gained(shop):
    shop.run(ALICE_AND_BOB)
    report = shop.run(ALICE_AND_BOB + "alice,2026-01-20,1.00,A-3\n")
    assert (report["Posted"], report["Replayed"]) == ("1", "3")
    assert shop.balances() == {"alice": ALICE + 2, "bob": BOB}


def test_posts_a_row_that_was_corrected(shop):
    shop.run(ALICE_AND_BOB.replace("10.25", "ten"))
    assert [line for line, _, _ in shop.bad()] == [2]
    assert shop.balances() == {"alice": ALICE - 20, "bob": BOB}
    report = shop.run(ALICE_AND_BOB)
    assert (report["Posted"], report["Replayed"], report["Bad"]) == ("1", "2", "0")
    assert shop.bad() == []
    assert shop.balances() == {"alice": ALICE, "bob": BOB}


def test_goes_on_where_an_interrupted_run_stopped(shop, program):
    class Killed(Exception):
        pass

    def stop(rows: int) -> None:
        if rows:
            raise Killed

    shop.file.write_text(many_rows())
    found = purchase_files.read(shop.file, zone=ZoneInfo(program.timezone), now=timezone.now())
    with pytest.raises(Killed):
        purchases.replay(
            program=program,
            definition=definitions.find(program, None),
            purchases=found.purchases,
            rate=Decimal(2),
            on_progress=stop,
        )
    assert len([entry for entry in shop.entries() if entry.type == "award"]) == 1_000
    report = shop.run(shop.file)
    assert (report["Posted"], report["Replayed"]) == ("1,400", "1,000")
    assert shop.awarded() == sum(2 * n + 1 for n in range(2_400))


def test_posts_once_when_two_run_at_once(shop):
    shop.file.write_text(many_rows())
    barrier = threading.Barrier(2)
    reports: list[dict[str, str]] = []

    def work() -> None:
        barrier.wait()
        reports.append(shop.run(shop.file))

    threads = [threading.Thread(target=in_thread, args=[work]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = [(int(r["Posted"].replace(",", "")), int(r["Replayed"].replace(",", ""))) for r in reports]
    assert [posted + replayed for posted, replayed in counts] == [2_400, 2_400]
    assert sum(posted for posted, _ in counts) == 2_400
    assert shop.awarded() == sum(2 * n + 1 for n in range(2_400))
    assert Customer.objects.filter(program=shop.program).count() == 90
    assert Card.objects.filter(program=shop.program).count() == 90


def test_posts_nothing_for_a_customer_whose_rows_have_moved(shop):
    """Otherwise the last row, which has a new number now, would be posted a second time."""
    shop.run(ALICE_AND_BOB)
    moved = ALICE_AND_BOB.replace("alice,", "alice,2026-01-01,7.00,A-0\nalice,", 1) + "bob,2026-02-02,1.00,B-2\n"
    report = shop.run(moved)
    assert shop.bad() == [
        (
            2,
            "Row 1 of this customer was imported before, with another date or other points.",
            "alice,2026-01-01,7.00,A-0",
        ),
        (
            3,
            "Row 2 of this customer was imported before, with another date or other points.",
            "alice,2026-02-01,10.25,A-1",
        ),
        (5, "Another row of this customer differs from what was imported before.", "alice,2026-01-10,5.00,A-2"),
    ]
    assert (report["Posted"], report["Replayed"], report["Bad"]) == ("1", "1", "3")
    assert shop.balances() == {"alice": ALICE, "bob": BOB + 2}


def test_refuses_another_rate_for_the_same_rows(shop):
    shop.run(ALICE_AND_BOB)
    assert shop.run(ALICE_AND_BOB, rate="3")["Bad"] == "3"
    assert shop.balances() == {"alice": ALICE, "bob": BOB}


def test_posts_the_rows_of_another_source(shop):
    shop.run(ALICE_AND_BOB)
    assert shop.run(ALICE_AND_BOB, source="shop-2")["Posted"] == "3"
    assert shop.run(ALICE_AND_BOB, source="shop-2")["Replayed"] == "3"
    assert shop.balances() == {"alice": 2 * ALICE, "bob": 2 * BOB}


def test_knows_its_rows_of_customers_who_were_merged(shop, program):
    """Rows are counted by the customer that the file names, whoever that is by now."""
    content = ALICE_AND_BOB + "bob,2026-01-16,7.00,B-2\nbob,2026-01-17,8.00,B-3\n"
    shop.run(content)
    bob, alice = (Customer.objects.get(program=program, external_id=name) for name in ("bob", "alice"))
    persons.merge(customer=bob, into=alice, actor="test", at=timezone.now())
    report = shop.run(content)
    assert (report["Posted"], report["Replayed"], report["Bad"]) == ("0", "5", "0")
    report = shop.run(content + "bob,2026-01-18,9.00,B-4\nalice,2026-01-21,2.00,A-3\n")
    assert (report["Posted"], report["Replayed"], report["Bad"]) == ("2", "5", "0")
    assert shop.run(content + "bob,2026-01-18,9.00,B-4\n")["Posted"] == "0"
    assert shop.balances() == {"alice": ALICE + BOB + 14 + 16 + 18 + 4, "bob": 0}
    assert Card.objects.filter(program=program).count() == 2
