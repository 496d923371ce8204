"""Whether the database keeps what it acknowledged: a posting that was answered must survive a crash."""

import logging

from django.db import OperationalError, connections

logger = logging.getLogger(__name__)

SAFE = {
    "fsync": "a crash of the machine can lose or corrupt postings that were acknowledged",
    "full_page_writes": "a crash of the machine can corrupt postings that were acknowledged",
    "synchronous_commit": "a crash of the server can lose postings that were acknowledged in the last second",
}


def problems(alias: str = "default") -> list[str]:
    """This will name every setting of the database with which an acknowledged posting could be lost."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s) AND setting = 'off'", [list(SAFE)])
        return [f"{name} is {setting}: {SAFE[name]}" for name, setting in cursor.fetchall()]


def warn() -> None:
    """This will log the problems; a database that does not answer yet is asked at the next start."""
    try:
        for problem in problems():
            logger.critical("ACKNOWLEDGED POSTINGS COULD BE LOST: %s", problem)
    except OperationalError as error:
        logger.warning("The database does not answer: %s", error)
