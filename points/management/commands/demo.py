import datetime
import secrets
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import Case, F, When
from django.utils import timezone

from cards.models import Card
from loyalty import api_keys, data_folder, errors, retry
from loyalty.models import Program
from points import definitions, due, purchase_files, purchases
from reports import counting

SLUG = "demo"
ADMIN = "admin"
SAMPLE = Path(apps.get_app_config("points").path) / "data" / "CDNOW_sample.txt"
RATE = Decimal(2)


class Command(BaseCommand):
    help = "Makes the demo programme, its key and the admin's user where they are missing, and writes demo.env."

    def handle(self, **_: Any) -> None:
        if not settings.EMBEDDED:
            raise CommandError("the demo programme is for the embedded database: DATABASE_URL is set")
        known = data_folder.read_demo(settings.DATA_DIR)
        program = self._program()
        key_id, secret = self._api_key(program, known)
        data_folder.write_demo(
            settings.DATA_DIR,
            {
                "LOYALTY_URL": f"http://{settings.HOST}:{settings.PORT}",
                "LOYALTY_API_KEY": key_id,
                "LOYALTY_API_SECRET": secret,
                "LOYALTY_ADMIN_USER": ADMIN,
                "LOYALTY_ADMIN_PASSWORD": self._admin_password(known),
                "LOYALTY_CARD": self._card_number(program, known),
            },
        )

    def _program(self) -> Program:
        try:
            known = Program.objects.filter(slug=SLUG).first()
            if known is not None:
                return known
            program = retry.run(_make_program)
            # At once: the jobs would come to it within an hour.
            counting.count(program)
            counting.count_tiers(at=timezone.now())
            return program
        except errors.Unavailable as refusal:
            raise CommandError(str(refusal)) from refusal

    def _api_key(self, program: Program, known: dict[str, str]) -> tuple[str, str]:
        secret = known.get("LOYALTY_API_SECRET", "")
        key = api_keys.find(secret=secret)
        if key is None:
            key, secret = api_keys.generate(program=program, name="demo.env")
        return key.key_id, secret

    def _admin_password(self, known: dict[str, str]) -> str:
        password = known.get("LOYALTY_ADMIN_PASSWORD") or secrets.token_urlsafe(12)
        if not User.objects.filter(username=ADMIN).exists():
            User.objects.create_superuser(ADMIN, "admin@shop.example", password)
        return password

    def _card_number(self, program: Program, known: dict[str, str]) -> str:
        """One that can be posted on: the same as before, or the one with the most points that have not expired."""
        before = known.get("LOYALTY_CARD", "")
        cards = program.cards.filter(status=Card.Status.ACTIVE)
        if cards.filter(number=before).exists():
            return before
        # Where something fell due, the account still tells its balance from before.
        is_outdated = Case(When(customer__accounts__next_due_at__lte=timezone.now(), then=1), default=0)
        richest = cards.order_by(is_outdated, F("customer__accounts__balance").desc(nulls_last=True), "pk").first()
        return richest.number if richest else before


@transaction.atomic
def _make_program() -> Program:
    """In one transaction, so that a programme that is there has all its purchases."""
    program = definitions.create_program(slug=SLUG, name="Demo shop")
    program.transfers_enabled = True
    program.margin_percent = Decimal(30)
    program.save(update_fields=["transfers_enabled", "margin_percent"])
    program.definitions.update(point_value=Decimal("0.01"))
    zone = ZoneInfo(program.timezone)
    now = timezone.now()
    yesterday = timezone.localdate(now, zone) - datetime.timedelta(days=1)
    sample = purchase_files.read(SAMPLE, zone=zone, now=now, last_on=yesterday)
    purchases.replay(
        program=program,
        definition=definitions.find(program, None),
        purchases=sample.purchases,
        rate=RATE,
        # Its dates are not those of the original: who imports that one as well is told nothing about rows that differ.
        source="sample",
    )
    # What of the sample has ended by now is no news.
    due.settle(at=now)
    program.keeps_events = True
    program.save(update_fields=["keeps_events"])
    return program
