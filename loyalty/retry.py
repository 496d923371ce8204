"""Trying again when the database says that the next try may succeed."""

from collections.abc import Callable
from typing import TypeVar

import tenacity
from django.db import InterfaceError, OperationalError, connection

from loyalty import errors

Result = TypeVar("Result")

# Serialization failure, deadlock, lock not available: Postgres has rolled the transaction back.
_ROLLED_BACK = {"40001", "40P01", "55P03"}
# The server was told to stop, crashed, or is not up yet. A failure to reach it at all has no SQLSTATE.
_LOST = {"57P01", "57P02", "57P03", None}

# One try waits for a lock as long as the role's lock_timeout; these bound the whole.
_MOST_TRIES = 4
_MOST_SECONDS = 5


def run(work: Callable[[], Result], *, repeatable: bool = True) -> Result:
    """This will do the work, and do it again a few times while the database refuses it for a passing reason.

    The work opens its own transaction. After a lost connection, when nobody knows whether the COMMIT arrived, it is
    tried again only if it is `repeatable`: if it finds out by itself that its first try was committed. Inside a
    caller's transaction there is one try, since that transaction is what would have to be tried again.

    Raises:
        errors.Unavailable: the database does not answer, or refused the last try too.
    """
    if connection.in_atomic_block:
        return work()
    is_passing = _may_pass if repeatable else _was_rolled_back
    try:
        # Almost always this is all: the first try is kept out of the retrying, which costs more than some queries.
        return work()
    except (OperationalError, InterfaceError) as failure:
        if not is_passing(failure):
            raise errors.Unavailable from failure
    _drop_broken_connection()
    try:
        return _policy(is_passing)(work)
    except (OperationalError, InterfaceError) as failure:
        raise errors.Unavailable from failure


def _policy(is_passing: Callable[[BaseException], bool]) -> tenacity.Retrying:
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_passing),
        stop=tenacity.stop_after_attempt(_MOST_TRIES - 1) | tenacity.stop_after_delay(_MOST_SECONDS),
        # Jitter, so that those who collided do not meet again.
        wait=tenacity.wait_random_exponential(multiplier=0.02, max=0.3),
        before_sleep=lambda _: _drop_broken_connection(),
        reraise=True,
    )


def _may_pass(failure: BaseException) -> bool:
    return _was_rolled_back(failure) or _is_lost(failure)


def _was_rolled_back(failure: BaseException) -> bool:
    return isinstance(failure, OperationalError) and _sqlstate(failure) in _ROLLED_BACK


def _is_lost(failure: BaseException) -> bool:
    if isinstance(failure, InterfaceError):
        return True
    return isinstance(failure, OperationalError) and _sqlstate(failure) in _LOST


def _sqlstate(failure: BaseException) -> str | None:
    return getattr(failure.__cause__, "pgcode", None)


def _drop_broken_connection() -> None:
    # A persistent connection outlives its server; Django would look at it only when the next request begins.
    connection.close_if_unusable_or_obsolete()
