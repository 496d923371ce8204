"""How members of staff are named in what they do."""

from django.contrib.auth.models import User

# What the ledger's columns take.
LONGEST_ACTOR = 150
LONGEST_NAME = 255


def actor(user: User) -> str:
    """This will answer who posts, as an entry of the ledger remembers it."""
    return f"staff:{user.get_username()}"[:LONGEST_ACTOR]


def shown(user: User) -> str:
    """This will answer the name of the member of staff, as customers may read it."""
    return (user.get_full_name() or user.get_username())[:LONGEST_NAME]
