"""How commands show the credentials that they make. The secret is shown this once."""

from django.core.management.base import BaseCommand, CommandParser

from loyalty.models import ApiKey

FORMATS = ("text", "env")


def add_format(parser: CommandParser) -> None:
    """This will let the caller choose how credentials are shown."""
    parser.add_argument("--format", choices=FORMATS, default="text", help="env: lines for a shell or an .env file")


def show(command: BaseCommand, key: ApiKey, secret: str, *, form: str) -> None:
    """This will print the key id and the secret; as `env` nothing else goes to the standard output."""
    if form == "env":
        command.stdout.write(f"LOYALTY_API_KEY={key.key_id}")
        command.stdout.write(f"LOYALTY_API_SECRET={secret}")
        return
    command.stdout.write(f"key id  {key.key_id}")
    command.stdout.write(f"secret  {secret}")
    command.stdout.write("Keep the secret now: it cannot be shown again.")
