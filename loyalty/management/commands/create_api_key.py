from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from loyalty import api_keys
from loyalty.api import values
from loyalty.management import credentials
from loyalty.models import Program, Scope
from staff import audit
from staff.audit import Action


class Command(BaseCommand):
    help = "Makes an API key of a programme and prints its key id and secret, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--programme", required=True, metavar="SLUG")
        parser.add_argument("--name", default="", help="who will use it")
        parser.add_argument("--scopes", metavar="A,B", help=f"default: all of {', '.join(Scope.values)}")
        parser.add_argument("--expires", metavar="TIME", help="when it stops working: a date or an ISO 8601 time")
        credentials.add_format(parser)

    def handle(self, **options: Any) -> None:
        program = Program.objects.filter(slug=options["programme"]).first()
        if program is None:
            raise CommandError(f"there is no programme “{options['programme']}”: make it with create_programme")
        try:
            with transaction.atomic():
                key, secret = api_keys.generate(
                    program=program,
                    name=options["name"],
                    scopes=_scopes(options["scopes"]),
                    expires_at=_moment(options["expires"], ZoneInfo(program.timezone)),
                )
                told = {"name": str(key), "values": {"scopes": key.scopes}}
                audit.record(action=Action.ADDED, by="create_api_key", about=key, facts=told, at=timezone.now())
        except ValidationError as failure:
            raise CommandError("; ".join(failure.messages)) from failure
        credentials.show(self, key, secret, form=options["format"])


def _scopes(text: str | None) -> list[str]:
    if text is None:
        return list(Scope.values)
    scopes = [scope.strip() for scope in text.split(",")]
    unknown = [scope for scope in scopes if scope not in Scope.values]
    if unknown:
        raise CommandError(f"unknown scope “{unknown[0]}”: there are {', '.join(Scope.values)}")
    return scopes


def _moment(text: str | None, zone: ZoneInfo) -> Any:
    if text is None:
        return None
    try:
        moment = values.start(values.moment(text), zone)
    except values.Fault as fault:
        raise CommandError(f"--expires: {fault.text}") from fault
    if moment <= timezone.now():
        raise CommandError("--expires is in the past")
    return moment
