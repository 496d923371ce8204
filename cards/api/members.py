"""Who calls with a member's token, by now."""

import uuid

from rest_framework.request import Request

from cards import membership
from cards.models import Customer
from loyalty import errors
from loyalty.permissions import caller, member


def customer_of(request: Request) -> uuid.UUID | None:
    """This will answer the customer whose token calls, or whom that one was merged into since it was issued; None: a
    key calls.

    Raises:
        errors.Unauthorized: the customer has been erased.
    """
    customer_id = member(request)
    if customer_id is None:
        return None
    known = Customer.objects.select_related("merged_into").filter(program=caller(request).program, pk=customer_id)
    try:
        return membership.of_today(known.first()).pk
    except membership.CustomerNotFound as refusal:
        raise errors.Unauthorized from refusal
