"""Customers as the shop's own systems keep them: by our id or by one of theirs."""

from cards.membership import CustomerNotFound
from cards.models import Customer
from loyalty import ids
from loyalty.models import Program

LONGEST_EXTERNAL_ID = 100


def find(*, program: Program, reference: str) -> Customer:
    """This will answer the programme's customer of that id, or else of that id of the shop's own.

    Raises:
        CustomerNotFound: there is none.
    """
    key = ids.parse("cus", reference)
    customer = program.customers.filter(pk=key).first() if key else None
    customer = customer or _of_external_id(program, reference)
    if customer is None:
        raise CustomerNotFound
    return customer


def _of_external_id(program: Program, external_id: str) -> Customer | None:
    # From a path it may be anything; the database compares no text with a NUL.
    if not external_id or len(external_id) > LONGEST_EXTERNAL_ID or "\0" in external_id:
        return None
    return program.customers.filter(external_id=external_id).first()
