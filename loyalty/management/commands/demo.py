import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from cards.models import Card, Customer
from loyalty import api_keys, data_folder
from loyalty.models import Program
from points import definitions

SLUG = "demo"
ADMIN = "admin"


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
                "LOYALTY_CARD": self._card(program).number,
            },
        )

    def _program(self) -> Program:
        program = Program.objects.filter(slug=SLUG).first()
        return program or definitions.create_program(slug=SLUG, name="Demo")

    def _api_key(self, program: Program, known: dict[str, str]) -> tuple[str, str]:
        secret = known.get("LOYALTY_API_SECRET", "")
        key = api_keys.find(secret=secret)
        if key is None:
            key, secret = api_keys.generate(program=program, name="demo.env")
        return key.key_id, secret

    def _admin_password(self, known: dict[str, str]) -> str:
        password = known.get("LOYALTY_ADMIN_PASSWORD") or secrets.token_urlsafe(12)
        if not User.objects.filter(username=ADMIN).exists():
            User.objects.create_superuser(ADMIN, password=password)
        return password

    def _card(self, program: Program) -> Card:
        card = program.cards.order_by("created_at", "id").first()
        if card is None:
            customer = Customer.objects.create(program=program, name="Ada Lovelace", email="ada@example.com")
            card = Card.objects.create(program=program, customer=customer, number="LC000000000001")
        return card
