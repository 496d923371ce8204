"""Opening balances: points that customers bring along from another system, each lot with its own dates."""

import dataclasses
import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from cards.models import Customer
from exchange import people
from exchange.columns import Column, matching, moment, number, text
from exchange.kinds.base import Brought, Faults, Kind, Row
from points import definitions, expiry, ledger, reasons, store
from points.models import AccountRef, EntryType, PointAccount, PointDefinition, PointTransaction

ACTOR = "import"
_EXPIRED = "These points have expired already."


class OpeningBalances(Kind):
    """Awards each row as a lot, once for ever: its entry's id is worked out from the customer, the source and which of
    the customer's rows it is, as with purchases."""

    columns = (
        *people.COLUMNS,
        Column(
            name="definition",
            read=matching("[a-z0-9][a-z0-9_-]{0,49}", "It is not the code of a definition."),
            help="Code of the kind of points. Empty: what the import says, or the programme's default one.",
        ),
        Column(
            name="points",
            headings=("balance", "amount"),
            read=number,
            help="Above zero.",
            is_required=True,
            example="250",
        ),
        Column(
            name="earned_at",
            headings=("date", "earned_on", "awarded_at"),
            read=moment,
            help="When they were earned: a date or a time. Empty: now.",
            example="2026-01-31",
        ),
        Column(
            name="expires_at",
            headings=("expires_on", "valid_to"),
            read=moment,
            help="The first moment at which they do not count any more. Empty: as their definition says.",
        ),
        Column(name="reference", read=text(255), help="Kept with the entry."),
    )
    locks_accounts = True

    def check(self, said: Mapping[str, Any]) -> Faults:
        """This will refuse points of nobody, and dates that are no opening balance's."""
        faults = [] if people.name(said) else list(people.NOBODY)
        if said["earned_at"] is not None and said["earned_at"] > self.at:
            faults.append(("earned_at", "It is in the future."))
        if said["expires_at"] is not None and said["expires_at"] <= self.at:
            faults.append(("expires_at", _EXPIRED))
        return faults

    def group(self, said: Mapping[str, Any]) -> tuple[str, str]:
        """This will put the rows of a customer together, the oldest points first."""
        earned_at = said.get("earned_at") or self.at
        return people.name(said), earned_at.astimezone(datetime.UTC).isoformat()

    def put(self, rows: Sequence[Row]) -> Brought:
        """This will award the points of rows."""
        brought = Brought()
        known = people.People(self.program, [row.said for row in rows])
        default = self.upload.definition.code if self.upload.definition else None
        kinds = definitions.find_all(self.program, {row.said["definition"] or default for row in rows})
        postings: list[tuple[Row, ledger.Posting]] = []
        for row in rows:
            customer_id, faults = known.of(row.said)
            kind = kinds.get(row.said["definition"] or default)
            if kind is None:
                faults = [*faults, ("definition", "The programme has no such definition.")]
            else:
                faults = [*faults, *self._misfits(row, kind)]
            if faults or customer_id is None or kind is None:
                brought.fault(row.number, faults)
                continue
            account = AccountRef(program=self.program, definition=kind, customer_id=customer_id)
            postings.append((row, self._posting(row, account)))
        self._post(self._named(postings), brought)
        return brought

    def _misfits(self, row: Row, kind: PointDefinition) -> Faults:
        points: Any = row.said["points"]
        if points != round(points, kind.decimal_places):
            return [("points", f"These points have at most {kind.decimal_places} decimals.")]
        ends_at = self._ends_at(row, kind)
        return [("earned_at", _EXPIRED)] if ends_at is not None and ends_at <= self.at else []

    def _ends_at(self, row: Row, kind: PointDefinition) -> datetime.datetime | None:
        """This will answer when the points end, by the policy counted from when they were earned: the account may have
        newer entries, whose time its own never goes before. None: never, or by inactivity."""
        said: datetime.datetime | None = row.said["expires_at"]
        if said is not None or kind.expiry_policy == expiry.ExpiryPolicy.INACTIVITY:
            return said
        return expiry.end(policy=kind.policy, starts_at=row.said["earned_at"] or self.at, zone=self.zone)

    def _posting(self, row: Row, account: AccountRef) -> ledger.Posting:
        note = ledger.Note(
            reason=reasons.OPENING,
            actor=ACTOR,
            reference=row.said["reference"],
            transaction_date=row.said["earned_at"],
        )
        return ledger.Posting(
            type=EntryType.AWARD,
            account=account,
            points=row.said["points"],
            at=row.said["earned_at"] or self.at,
            note=note,
            expires_at=self._ends_at(row, account.definition),
            entry_id=self._entry_id(row, account.id),
            is_named=True,
        )

    def _entry_id(self, row: Row, account_id: uuid.UUID) -> uuid.UUID:
        return uuid.uuid5(account_id, f"opening:{self.upload.source}:{row.group}:{row.nth}")

    def _named(self, postings: list[tuple[Row, ledger.Posting]]) -> list[tuple[Row, ledger.Posting]]:
        """This will add to postings the entries that stand for them in accounts of customers who were merged since."""
        customer_ids = {posting.account.customer_id for _, posting in postings}
        merged: dict[uuid.UUID, list[uuid.UUID]] = {}
        for customer in Customer.objects.filter(merged_into__in=customer_ids).only("pk", "merged_into"):
            if customer.merged_into_id is not None:
                merged.setdefault(customer.merged_into_id, []).append(customer.pk)
        named = []
        for row, posting in postings:
            before = [
                PointAccount.id_for(pk, posting.account.definition.pk)
                for pk in merged.get(posting.account.customer_id, ())
            ]
            came_from = tuple((account_id, self._entry_id(row, account_id)) for account_id in before)
            named.append((row, dataclasses.replace(posting, came_from=came_from)))
        return named

    def _post(self, postings: list[tuple[Row, ledger.Posting]], brought: Brought) -> None:
        """This will post what was not posted before. A customer one of whose rows differs from what was posted as that
        row gets none of the others: the rows have moved, and the last would be posted again under its new number."""
        earlier = store.entries([name for _, posting in postings for name in posting.names])
        new: list[tuple[Row, ledger.Posting]] = []
        moved = set()
        for row, posting in postings:
            entry = next((earlier[name] for name in posting.names if name in earlier), None)
            if entry is None:
                new.append((row, posting))
            elif not self._recognise(row, posting, entry, brought):
                moved.add(row.group)
        for row, _ in new:
            if row.group in moved:
                text = "Another row of this customer differs from what was imported before."
                brought.fault(row.number, [("", text)])
        new = [(row, posting) for row, posting in new if row.group not in moved]
        for (row, posting), outcome in zip(new, ledger.post_many([posting for _, posting in new]), strict=True):
            if outcome.refusal is not None:
                brought.refuse(row.number, outcome.refusal)
            elif outcome.entry is not None:
                brought.added += 1
            elif outcome.earlier is not None:
                # By another import that runs now.
                self._recognise(row, posting, outcome.earlier, brought)

    def _recognise(self, row: Row, posting: ledger.Posting, entry: PointTransaction, brought: Brought) -> bool:
        is_same = entry.points == posting.points and entry.transaction_date == posting.note.transaction_date
        if is_same and (row.said["expires_at"] is None or entry.expires_at == row.said["expires_at"]):
            brought.known += 1
            return True
        text = f"Row {row.nth} of this customer was imported before, with other points or dates."
        brought.fault(row.number, [("", text)])
        return False
