"""Cards of customers who are there."""

from collections.abc import Mapping, Sequence
from typing import Any

from cards import intake
from cards.models import Card
from exchange import people
from exchange.columns import Column, card_number, choice, metadata, moment, text
from exchange.kinds.base import Brought, Faults, Kind, Row


class Cards(Kind):
    """Gives cards to customers."""

    columns = (
        Column(
            name="number",
            read=card_number,
            help="LC and 12 digits. Empty: a card is made for whoever has none.",
            example="LC000000000077",
        ),
        # The card itself names nobody yet.
        *(column for column in people.COLUMNS if column.name != "card_number"),
        Column(name="status", read=choice(*Card.Status.values), help="active, inactive or blocked. Empty: active."),
        Column(name="design", read=text(50), help="In the shop's own words. Empty: default."),
        Column(name="expires_at", read=moment, help="The first moment at which the card does not hold any more."),
        Column(name="metadata", read=metadata, help="A JSON object of the shop's own."),
    )
    uniques = ("number",)

    def check(self, said: Mapping[str, Any]) -> Faults:
        """This will refuse a card of nobody."""
        return [] if people.name(said) else people.NOBODY

    def put(self, rows: Sequence[Row]) -> Brought:
        """This will bring cards in."""
        brought = Brought()
        known = people.People(self.program, [{**row.said, "card_number": None} for row in rows])
        cards, named = [], []
        for row in rows:
            customer_id, faults = known.of(row.said)
            if customer_id is None:
                brought.fault(row.number, faults)
                continue
            named.append(row)
            cards.append(
                intake.NewCard(
                    customer_id=customer_id,
                    number=row.said["number"],
                    status=row.said["status"] or Card.Status.ACTIVE,
                    design=row.said["design"] or "default",
                    expires_at=row.said["expires_at"],
                    metadata=row.said["metadata"] or {},
                )
            )
        for row, fate in zip(
            named, intake.issue(program=self.program, cards=cards, at=self.at) if cards else [], strict=True
        ):
            if fate.refusal is not None:
                brought.refuse(row.number, fate.refusal)
            brought.added += fate.is_new
            brought.known += not (fate.is_new or fate.refusal)
        return brought
