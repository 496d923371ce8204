"""Purchases of another system, replayed at their own moments."""

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from exchange.columns import Column, amount, email, moment, text, whole
from exchange.kinds.base import Brought, Fault, Faults, Kind, Row
from points import definitions, purchases
from points.purchase_files import HEADINGS, Purchase

_MOST_ITEMS = 999_999_999


class Purchases(Kind):
    """Makes customers with cards of those who bought, and awards what each purchase earns, as `import_purchases` does.
    The rows of a customer are posted in the order of their dates, one customer after another."""

    columns = (
        Column(
            name="customer_id",
            headings=HEADINGS["customer"][1:],
            read=text(100),
            help="The shop's own id of the customer.",
            is_required=True,
            example="customer-77",
        ),
        Column(
            name="purchased_at",
            headings=HEADINGS["date"][1:],
            read=moment,
            help="A date or a time.",
            is_required=True,
            example="2026-01-31 18:30",
        ),
        Column(
            name="amount",
            headings=HEADINGS["amount"][1:],
            read=amount,
            help="Not below zero.",
            is_required=True,
            example="12.50",
        ),
        Column(name="items", headings=HEADINGS["items"][1:], read=whole(0, _MOST_ITEMS), help="How many."),
        Column(name="reference", headings=HEADINGS["reference"][1:], read=text(255), help="The number of the order."),
        Column(name="email", headings=HEADINGS["email"][1:], read=email, help="For customers who are new."),
        Column(name="name", headings=HEADINGS["name"][1:], read=text(200), help="For customers who are new."),
    )
    locks_accounts = True

    def refuse_whole(self) -> None:
        """This will refuse purchases that no rule lets earn anything."""
        purchases.run_of(
            program=self.program, definition=self._definition(), rate=self._rate(), source=self.upload.source
        )

    def check(self, said: Mapping[str, Any]) -> Faults:
        """This will refuse what has not happened yet."""
        return [("purchased_at", "It is in the future.")] if said["purchased_at"] > self.at else []

    def group(self, said: Mapping[str, Any]) -> tuple[str, str]:
        """This will put the rows of a customer together, the oldest purchase first."""
        at: datetime.datetime | None = said.get("purchased_at")
        return said.get("customer_id") or "", at.astimezone(datetime.UTC).isoformat() if at else ""

    def put(self, rows: Sequence[Row]) -> Brought:
        """This will award what rows earn."""
        bought = [
            Purchase(
                line=row.number,
                raw="",
                customer=row.said["customer_id"],
                nth=row.nth,
                at=row.said["purchased_at"],
                amount=row.said["amount"],
                items=row.said["items"],
                reference=row.said["reference"],
                email=row.said["email"],
                name=row.said["name"] or "",
            )
            for row in rows
        ]
        tally = purchases.replay(
            program=self.program,
            definition=self._definition(),
            purchases=sorted(bought, key=lambda row: (row.at, row.line)),
            rate=self._rate(),
            source=self.upload.source,
        )
        return Brought(
            added=tally.posted,
            known=tally.replayed,
            nothing=tally.earned_nothing,
            faults=[Fault(bad.line, "", bad.reason) for bad in tally.bad],
        )

    def _definition(self) -> Any:
        return self.upload.definition or definitions.find(self.program, None)

    def _rate(self) -> Decimal | None:
        return self.upload.rate
