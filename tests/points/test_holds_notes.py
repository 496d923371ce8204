"""What the entries of holds and transfers say of why, by whom and for what."""

import datetime
import uuid
from decimal import Decimal

import pytest

from cards.models import Card
from loyalty.models import Program
from points import ledger, reasons
from points.models import Hold
from tests.factories import make_account
from tests.points.till import NOON, Till, days

HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def note(card: Card) -> ledger.Note:
    return ledger.Note(
        reason="Checkout",
        actor="till 1",
        reference="order-1",
        card_id=card.pk,
        metadata={"basket": 7},
        source="Purchase",
        external=ledger.External(uuid.uuid4(), "as asked"),
    )


def said(till: Till) -> list[tuple]:
    return [
        (entry.type, entry.reason, entry.actor, entry.reference, entry.card_id, entry.external_id)
        for entry in till.entries()[1:]
    ]


def test_capture_says_what_its_caller_does_and_its_rest_that_it_goes_back(
    till: Till, card: Card, note: ledger.Note
) -> None:
    assert note.external is not None
    till.award(100, expires_at=days(1))
    held = till.post(ledger.hold, points=Decimal(60), lasts=days(9) - NOON)
    till.settle(days(1))
    till.post(ledger.capture, hold_id=held.id, points=Decimal(20), note=note, at=days(2))
    assert said(till) == [
        ("hold", "Order reward", "till", None, None, None),
        ("expire", reasons.EXPIRED, "clock", None, None, None),
        ("redeem", "Checkout", "till 1", "order-1", card.pk, note.external.id),
        ("release", reasons.RELEASED, "till 1", "order-1", card.pk, None),
        ("expire", reasons.EXPIRED_GIVEN_BACK, "till 1", None, card.pk, None),
    ]


def test_lapse_is_the_clocks(till: Till, note: ledger.Note) -> None:
    till.award(100)
    held = till.post(ledger.hold, points=Decimal(60), lasts=HOUR, note=note)
    till.settle(days(1))
    assert said(till)[-1] == ("release", reasons.LAPSED, "clock", None, None, None)
    kept = Hold.objects.get(account_id=till.account.id, id=held.id)
    assert (kept.reference, kept.metadata) == ("order-1", {"basket": 7})


def test_receiver_is_told_no_card_of_the_sender(program: Program, till: Till, card: Card, note: ledger.Note) -> None:
    program.transfers_enabled = True
    friend = Till(make_account(program, till.account.definition))
    till.award(100)
    entry = till.post(ledger.transfer, sender=till.account, receiver=friend.account, points=Decimal(5), note=note)
    [received] = friend.entries()
    assert (entry.card_id, received.card_id) == (card.pk, None)
    assert (entry.reason, received.reason) == ("Checkout", "Checkout")
    assert (entry.reference, received.reference) == ("order-1", "order-1")
    assert (entry.external_id, received.external_id) == (note.external and note.external.id, None)
