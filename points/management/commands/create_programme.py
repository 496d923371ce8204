from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from loyalty import api_keys
from loyalty.management import credentials
from points import definitions
from staff import audit
from staff.audit import Action


class Command(BaseCommand):
    help = "Makes a programme with its default kind of points, and a first API key of all scopes, shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the programme's short name: letters, digits, hyphens")
        parser.add_argument("--name", default="", help="default: the slug")
        parser.add_argument("--currency", default="EUR", help="three capital letters, default EUR")
        parser.add_argument("--timezone", default="UTC", help="whose days count, for example Europe/Vilnius")
        parser.add_argument("--sandbox", action="store_true", help="for trying out: secrets begin with sk_test_")
        credentials.add_format(parser)

    def handle(self, *, slug: str, **options: Any) -> None:
        try:
            with transaction.atomic():
                program = definitions.create_program(
                    slug=slug,
                    name=options["name"],
                    currency=options["currency"],
                    timezone=options["timezone"],
                    is_sandbox=options["sandbox"],
                )
                key, secret = api_keys.generate(program=program, name="first key")
                for row in (program, key):
                    told = {"name": str(row)}
                    audit.record(action=Action.ADDED, by="create_programme", about=row, facts=told, at=timezone.now())
        except ValidationError as failure:
            raise CommandError("; ".join(failure.messages)) from failure
        if options["format"] == "text":
            self.stdout.write(f"Made the programme {program.name} ({program.slug}).")
        credentials.show(self, key, secret, form=options["format"])
