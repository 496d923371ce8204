"""Customers as another system has them."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from cards import intake
from exchange.columns import Column, email, matching, metadata, text
from exchange.kinds.base import Brought, Faults, Kind, Row
from loyalty import ids

_SAID = ("name", "phone", "locale")


class Customers(Kind):
    """Makes customers, and changes those who are there where that is wanted."""

    columns = (
        Column(
            name="external_id",
            headings=("customer", "customer_external_id"),
            read=text(100),
            help="The shop's own id of the customer. It is needed, or an e-mail address.",
            example="customer-77",
        ),
        Column(name="email", headings=("e_mail", "customer_email"), read=email, help="No two customers have one."),
        Column(name="name", headings=("customer_name",), read=text(200), help="As it is shown.", example="A customer"),
        Column(name="phone", read=text(50), help="Also with spaces."),
        Column(
            name="locale",
            headings=("language",),
            read=matching("[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,6})?", "It is not a language such as lt."),
            help="The customer's language: lt.",
        ),
        Column(name="metadata", read=metadata, help="A JSON object of the shop's own."),
        Column(
            name="customer_id",
            read=matching("cus_[0-9a-f]{32}", "It is not an id of this service."),
            help="As exports have it: only for those who have nothing else to be known by.",
        ),
    )
    uniques = ("external_id", "email", "customer_id")

    def check(self, said: Mapping[str, Any]) -> Faults:
        """This will refuse whom nobody could know again."""
        if said["external_id"] or said["email"] or said["customer_id"]:
            return []
        return [("external_id", "There is neither an external_id nor an e-mail address.")]

    def put(self, rows: Sequence[Row]) -> Brought:
        """This will bring customers in."""
        brought = Brought()
        named = [row for row in rows if row.said["external_id"] or row.said["email"]]
        self._look_for([row for row in rows if row not in named], brought)
        people = [
            intake.Newcomer(
                external_id=row.said["external_id"],
                email=row.said["email"],
                said={name: row.said[name] or "" for name in _SAID} | {"metadata": row.said["metadata"] or {}},
            )
            for row in named
        ]
        taken = intake.take_in(program=self.program, people=people, is_changing=self.upload.changes_existing)
        for row, fate in zip(named, taken, strict=True):
            if fate.refusal is not None:
                brought.refuse(row.number, fate.refusal)
            brought.added += fate.is_new
            brought.changed += fate.is_changed
            brought.known += not (fate.is_new or fate.is_changed or fate.refusal)
        return brought

    def _look_for(self, rows: Sequence[Row], brought: Brought) -> None:
        """This will look for those who are known by our own id alone; that makes nobody."""
        keys = {row.number: ids.parse("cus", row.said["customer_id"]) or uuid.UUID(int=0) for row in rows}
        present = set(self.program.customers.filter(pk__in=keys.values()).values_list("pk", flat=True)) if keys else ()
        for row in rows:
            if keys[row.number] in present:
                brought.known += 1
            else:
                brought.fault(row.number, [("external_id", "There is neither an external_id nor an e-mail address.")])
