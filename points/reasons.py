"""What entries say for themselves where nobody gave a reason: kept in English, told in the language of who asks."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from points.terms import Kind

ACTIVATED = gettext_noop("Points became active")
EXPIRED = gettext_noop("Points expired")
EXPIRED_GIVEN_BACK = gettext_noop("Expired: the points given back had ended")
LAPSED = gettext_noop("Hold lapsed")
RELEASED = gettext_noop("Hold released")
HELD = gettext_noop("Points held")
MERGED = gettext_noop("Customers merged")
FORFEITED = gettext_noop("Customer erased")
INITIAL = gettext_noop("Initial points")
OPENING = gettext_noop("Opening balance")
REDEEMED = gettext_noop("Points redeemed")
ERASED = gettext_noop("Erased")  # points.models.ERASED
PURCHASE = Kind.PURCHASE.label
CANCELLED = gettext_noop("Order cancelled")
REFUNDED = gettext_noop("Order refunded")
CODE_CANCELLED = gettext_noop("Code cancelled")
CODE_LAPSED = gettext_noop("Code not used in time")

_OURS = {
    *(ACTIVATED, EXPIRED, EXPIRED_GIVEN_BACK, LAPSED, RELEASED, HELD, MERGED, FORFEITED, ERASED),
    *(INITIAL, OPENING, REDEEMED, CANCELLED, REFUNDED, CODE_CANCELLED, CODE_LAPSED),
    *Kind.labels,
}


def told(reason: str) -> str:
    """This will answer a reason as callers read it: ours in the language of the request, any other as it was written.
    A caller who writes one of ours means the same."""
    return _(reason) if reason in _OURS else reason
