"""A campaign that tells its customers by e-mail, each once, if they want it; and one that does not."""

from collections.abc import Iterator

import pytest
import time_machine
from django.core import mail

from campaigns.models import AwardCampaign
from cards.models import Customer
from loyalty.models import Program
from notices import following, tasks, unsubscribing
from notices.kinds import Group, Kind
from notices.models import Notice, NoticeSettings
from points.models import PointDefinition
from tests.campaigns.shop import make_campaign, make_segment, start, till_of, work
from tests.factories import CustomerFactory


@pytest.fixture(autouse=True)
def at_noon(clock: time_machine.Traveller) -> None:
    """All is at NOON."""


@pytest.fixture
def writing(program: Program) -> Iterator[Program]:
    """The programme sends receipts, too."""
    NoticeSettings.objects.create(program=program, kinds=Kind.values)
    following.switch(program=program, is_on=True)
    yield program
    following.switch(program=program, is_on=False)


def run(program: Program, definition: PointDefinition, *, tells: bool) -> AwardCampaign:
    campaign = make_campaign(
        make_segment(program), definition, reason="A gift for spring", tells_customers=tells, name=f"Tells: {tells}"
    )
    start(campaign)
    work()
    return campaign


def sent() -> list[mail.EmailMessage]:
    before = len(mail.outbox)
    tasks.send_notices.call()
    return mail.outbox[before:]


def test_tells_each_customer_once(writing: Program, definition: PointDefinition, alice: Customer) -> None:
    till_of(alice, definition).award(10)
    # The receipt of that.
    assert len(sent()) == 1
    run(writing, definition, tells=True)
    [message] = sent()
    assert message.subject == "You have been given 50 points"
    assert message.to == [alice.email]
    assert "on March 2, 2026 you have been given 50 points: A gift for spring." in message.body
    assert "Your balance: 60 points." in message.body
    work()
    assert sent() == []


def test_tells_nobody_unless_it_is_to_though_receipts_are_sent(
    writing: Program, definition: PointDefinition, alice: Customer
) -> None:
    run(writing, definition, tells=False)
    assert sent() == []
    till_of(alice, definition).award(10)
    assert len(sent()) == 1


def test_tells_nobody_who_has_unsubscribed_or_has_no_address(
    writing: Program, definition: PointDefinition, alice: Customer, bob: Customer
) -> None:
    CustomerFactory(program=writing, email=None)
    unsubscribing.unsubscribe(link=unsubscribing.Link(alice.pk, Group.CAMPAIGNS))
    unsubscribing.unsubscribe(link=unsubscribing.Link(bob.pk, Group.RECEIPTS), everything=True)
    run(writing, definition, tells=True)
    assert not Notice.objects.filter(program=writing).exists()
    assert till_of(alice, definition).balance == 50


def test_tells_nobody_where_the_programme_sends_no_notices(
    program: Program, definition: PointDefinition, alice: Customer
) -> None:
    run(program, definition, tells=True)
    assert not Notice.objects.filter(program=program).exists()


def test_is_dropped_where_somebody_unsubscribes_before_it_is_sent(
    writing: Program, definition: PointDefinition, alice: Customer
) -> None:
    run(writing, definition, tells=True)
    unsubscribing.unsubscribe(link=unsubscribing.Link(alice.pk, Group.CAMPAIGNS))
    assert sent() == []
    assert Notice.objects.get(program=writing).fault == "unsubscribed"
