"""Rewards of the catalogue."""

from collections.abc import Mapping, Sequence
from typing import Any

from exchange.columns import Column, choice, flag, matching, moment, number, text, whole
from exchange.kinds.base import Brought, Kind, Row
from loyalty import errors
from loyalty.models import Program
from points import definitions
from points.expiry import MAX_DAYS
from rewards import catalogue
from rewards.reward_models import MOST_PER_CUSTOMER, MOST_STOCK, Lapse


class Rewards(Kind):
    """Makes rewards. One whose name the programme has already is left as it is."""

    columns = (
        Column(name="name", read=text(100), help="As customers see it.", is_required=True, example="A coffee"),
        Column(
            name="points_cost",
            headings=("points", "price"),
            read=number,
            help="For how many points.",
            is_required=True,
            example="200",
        ),
        Column(
            name="definition",
            read=matching("[a-z0-9][a-z0-9_-]{0,49}", "It is not the code of a definition."),
            help="Code of the points that buy it. Empty: what the import says, or the programme's default ones.",
        ),
        Column(name="description", read=text(1_000), help="In the shop's own words."),
        Column(name="category", read=text(50), help="In the shop's own words."),
        Column(name="discount_amount", read=number, help="Money off."),
        Column(name="discount_percent", read=number, help="Percent off, instead of money."),
        Column(
            name="currency",
            read=matching("[A-Z]{3}", "It is not three capital letters, as in EUR."),
            help="Empty: the programme's.",
        ),
        Column(name="stock", read=whole(0, MOST_STOCK), help="How many there are. Empty: no end."),
        Column(name="per_customer_limit", read=whole(1, MOST_PER_CUSTOMER), help="For one customer. Empty: no limit."),
        Column(name="min_tier", read=text(50), help="Code of the lowest tier that gets it. Empty: everybody does."),
        Column(name="valid_from", read=moment, help="Empty: since ever."),
        Column(name="valid_to", read=moment, help="The first moment at which it is not offered. Empty: for ever."),
        Column(name="code_valid_days", read=whole(1, MAX_DAYS), help="Days to use a code. Empty: for ever."),
        Column(name="lapse", read=choice(*Lapse.values), help="Points of a code not used in time: forfeit or return."),
        Column(name="is_active", headings=("active",), read=flag, help="yes or no. Empty: yes."),
    )
    uniques = ("name",)

    def put(self, rows: Sequence[Row]) -> Brought:
        """This will bring rewards in."""
        brought = Brought()
        # One file after another: of two that name a new reward at once, the later one finds it.
        Program.objects.select_for_update(no_key=True).get(pk=self.program.pk)
        known = catalogue.named(program=self.program, names={row.said["name"] for row in rows})
        default = self.upload.definition.code if self.upload.definition else None
        codes = definitions.find_all(self.program, {row.said["definition"] or default for row in rows})
        for row in rows:
            code = row.said["definition"] or default
            if row.said["name"] in known:
                brought.known += 1
            elif code not in codes:
                brought.fault(row.number, [("definition", "The programme has no such definition.")])
            else:
                self._make(row, code, brought)
        return brought

    def _make(self, row: Row, code: str | None, brought: Brought) -> None:
        try:
            catalogue.create(program=self.program, definition=code, **_told(row.said))
        except errors.Refusal as refusal:
            brought.refuse(row.number, refusal)
        else:
            brought.added += 1


def _told(said: Mapping[str, Any]) -> dict[str, Any]:
    """This will leave out what a row does not say: a reward has it by itself."""
    return {name: value for name, value in said.items() if value is not None and name != "definition"}
