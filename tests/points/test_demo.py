"""`manage.py demo`: it is made once for all tests here, as `make run` makes it once for a data folder."""

import datetime
import math
import stat
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth import authenticate
from django.core.management import call_command

from cards.models import Card
from loyalty import api_keys, data_folder
from loyalty.models import Program, Scope
from points.models import PointAccount, PointLot, PointTransaction

pytestmark = pytest.mark.skipif(not settings.EMBEDDED, reason="the demo programme is for the embedded database")

SAMPLE = Path(settings.BASE_DIR) / "points" / "data" / "CDNOW_sample.txt"


@pytest.fixture(scope="module")
def program(django_db_setup: None) -> Iterator[Program]:
    with time_machine.travel("2026-08-31T09:00Z", tick=False):
        call_command("demo")
        yield Program.objects.get(slug="demo")


def entries(program: Program) -> int:
    return PointTransaction.objects.filter(program=program).count()


def test_awards_what_the_sample_earns(program):
    earned = [math.floor(Decimal(line.split()[4]) * 2) for line in SAMPLE.read_text().splitlines()]
    lots = PointLot.objects.filter(program=program).values_list("points", flat=True)
    assert sum(lots) == sum(earned) == 483_315
    assert (program.name, program.customers.count(), program.cards.count()) == ("Demo shop", 2_357, 2_357)


def test_shifts_the_last_purchase_to_yesterday(program):
    dates = PointTransaction.objects.filter(program=program, type="award").order_by("transaction_date")
    assert dates.last().transaction_date == datetime.datetime(2026, 8, 30, tzinfo=datetime.UTC)
    # The sample runs from 1 January 1997 to 30 June 1998: 545 days.
    assert dates.first().transaction_date == datetime.datetime(2025, 3, 3, tzinfo=datetime.UTC)


def test_has_points_that_expired_and_points_to_spend(program):
    assert PointTransaction.objects.filter(program=program, type="expire").exists()
    assert PointLot.objects.filter(program=program, expires_at__gt=datetime.datetime.now(datetime.UTC)).exists()


def test_writes_credentials_that_work(program):
    path = settings.DATA_DIR / "demo.env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    demo = data_folder.read_demo(settings.DATA_DIR)
    key = api_keys.find(secret=demo["LOYALTY_API_SECRET"], key_id=demo["LOYALTY_API_KEY"])
    assert (key.program, set(key.scopes)) == (program, set(Scope.values))
    admin = authenticate(username=demo["LOYALTY_ADMIN_USER"], password=demo["LOYALTY_ADMIN_PASSWORD"])
    assert admin.is_superuser


def test_changes_nothing_the_second_time(program):
    before = (entries(program), data_folder.read_demo(settings.DATA_DIR))
    with time_machine.travel("2026-09-15T09:00Z", tick=False):
        call_command("demo")
    assert (entries(program), data_folder.read_demo(settings.DATA_DIR)) == before


def test_names_a_card_that_can_be_posted_on(program):
    named = program.cards.get(number=data_folder.read_demo(settings.DATA_DIR)["LOYALTY_CARD"])
    accounts = PointAccount.objects.filter(program=program)
    made_at = datetime.datetime(2026, 8, 31, 9, tzinfo=datetime.UTC)
    # What had ended by then is written, so that no job has to: of many bought for the last time more than a year ago.
    assert not accounts.filter(next_due_at__lte=made_at).exists()
    assert accounts.filter(balance=0, lifetime_expired__gt=0).exists()
    richest = accounts.order_by("-balance", "pk").first()
    assert named.customer_id == richest.customer_id
    program.cards.filter(pk=named.pk).update(status=Card.Status.BLOCKED)
    call_command("demo")
    other = program.cards.get(number=data_folder.read_demo(settings.DATA_DIR)["LOYALTY_CARD"])
    assert other != named
    assert other.status == Card.Status.ACTIVE
