"""What each posting does to one account's books: its lots, its debt, its balance.

Every method checks all that can be refused before it changes anything, so a refusal leaves the books as they were.
"""

import dataclasses
import datetime
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from loyalty import errors
from points import earning, expiry
from points.holding import InsufficientPoints
from points.lots import ZERO, Lot
from points.models import MAX_DIGITS, Clawback, EntryType, PointTransaction
from points.page import Note, Other, Payment
from points.sending import SendingPage
from points.terms import Calculation, Deed, Rules, Situation
from tiers.ladder import Rung


class AlreadyReversed(errors.Refusal):
    """More is to be reversed than is left to reverse."""

    code = "ALREADY_REVERSED"
    status = 409
    message = gettext_noop("There are fewer points left to reverse.")

    def __init__(self, *, reversible_points: Decimal) -> None:
        super().__init__(reversible_points=reversible_points)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What a redemption or a negative adjustment took, less what reversals gave back since: (lot, points) in the
    order taken, and of its debt. `debt_payers` are the lots that have paid debts of the account, in the order of the
    last payment of each; those `elsewhere` paid debts of accounts before these were merged into it."""

    by_lot: Sequence[Payment]
    debt: Decimal
    debt_payers: Sequence[Payment]
    debt_payers_elsewhere: Sequence[Payment]


class Book(SendingPage):
    """This account's books: `settle` first, then post."""

    def award(
        self,
        *,
        entry_id: uuid.UUID,
        points: Decimal,
        note: Note,
        at: datetime.datetime,
        valid_from: datetime.datetime | None = None,
        expires_at: datetime.datetime | None = None,
    ) -> PointTransaction:
        """This will add points: at once, or from `valid_from`; until `expires_at`, or as the definition's policy says.

        Raises:
            errors.InvalidParameters: the points would end before they start, or beyond what a calendar holds.
            errors.InvalidPoints: the amount is finer than the definition's, or the account would pass 15 digits.
        """
        self.check_room(points)
        active_from = valid_from if valid_from is not None and valid_from > at else None
        lot = self._new_lot(entry_id, points, at=at, active_from=active_from, expires_at=expires_at)
        entry = self.append(
            entry_id,
            EntryType.AWARD,
            at=at,
            note=note,
            available=ZERO if active_from else points,
            pending=points if active_from else ZERO,
            valid_from=active_from,
            expires_at=lot.expires_at,
        )
        self.account.last_activity_at = at
        if not active_from:
            self.earn(points, entry=entry)
        self.add(lot, entry)
        return entry

    def work_out(self, rules: Rules, deed: Deed, *, given: Mapping[str, Decimal], rung: Rung | None) -> Calculation:
        """This will answer what a deed of this customer, who holds a tier, earns before anything is posted.

        Raises:
            earning.NotWorkedOut, earning.NothingEarned, earning.CapExceeded.
        """
        situation = Situation(
            tier=rung.code if rung else None,
            multiplier=rung.multiplier if rung else Decimal(1),
            tallied=self.tallies,
            given=given,
            decimal_places=self.definition.decimal_places,
            zone=self.zone,
        )
        return earning.work_out(rules, deed, situation)

    def earn_by_rules(
        self,
        calculation: Calculation,
        *,
        entry_id: uuid.UUID,
        note: Note,
        at: datetime.datetime,
        expires_at: datetime.datetime | None = None,
    ) -> PointTransaction:
        """This will award what was worked out, keep the calculation with the entry and count it towards the caps.

        Raises:
            What `award` raises.
        """
        days = calculation.expires_after_days
        if expires_at is None and days is not None:
            policy = expiry.Policy(kind=expiry.ExpiryPolicy.DAYS, count=days)
            expires_at = expiry.end(policy=policy, starts_at=at, zone=self.zone)
        told = {"calculation": calculation.told()}
        entry = self.award(
            entry_id=entry_id,
            points=calculation.points,
            note=dataclasses.replace(note, metadata=(note.metadata or {}) | told),
            at=at,
            expires_at=expires_at,
        )
        for name, count in calculation.tallies.items():
            self.tallies.add(name, count)
        return entry

    def redeem(self, *, entry_id: uuid.UUID, points: Decimal, note: Note, at: datetime.datetime) -> PointTransaction:
        """This will spend points, those that end first first.

        Raises:
            InsufficientPoints: the balance does not cover them; a redemption never makes a debt.
            errors.InvalidPoints: the amount is finer than the definition's.
        """
        self._check_decimals(points)
        if points > self.account.balance:
            raise InsufficientPoints(current_balance=self.account.balance, requested_points=points)
        # In spending order as it was until now: this activity moves the ends of the lots it pays with.
        payments = self._payments(points)
        entry = self.append(entry_id, EntryType.REDEEM, at=at, note=note, available=-points)
        self.pay(entry, payments)
        self.account.lifetime_redeemed += points
        self.account.last_activity_at = at
        return entry

    def adjust(self, *, entry_id: uuid.UUID, points: Decimal, note: Note, at: datetime.datetime) -> PointTransaction:
        """This will correct the balance by signed points. Below zero only where the account may.

        Raises:
            InsufficientPoints: it would go below zero and may not.
            errors.InvalidPoints: the amount is finer than the definition's, or the account would pass 15 digits.
        """
        self.check_room(points)
        if points > 0:
            lot = self._new_lot(entry_id, points, at=at)
            entry = self.append(
                entry_id, EntryType.ADJUST, at=at, note=note, available=points, expires_at=lot.expires_at
            )
            self.add(lot, entry)
            return entry
        free = max(self.account.balance, ZERO)
        if -points > free and not self.account.may_go_negative:
            raise InsufficientPoints(current_balance=self.account.balance, requested_points=-points)
        payments = self._payments(min(-points, free))
        entry = self.append(entry_id, EntryType.ADJUST, at=at, note=note, available=points)
        self.pay(entry, payments)
        self.owe(entry, -points - min(-points, free))
        return entry

    def expire(
        self,
        *,
        entry_id: uuid.UUID,
        points: Decimal | None,
        before: datetime.datetime | None,
        note: Note,
        at: datetime.datetime,
    ) -> PointTransaction | None:
        """This will expire active points by hand: of the lots that end `before`, at most `points`; or that many in
        spending order. None where nothing is to expire.

        Raises:
            InsufficientPoints: `points` alone are more than the balance.
            errors.InvalidPoints: the amount is finer than the definition's.
        """
        if points is not None:
            self._check_decimals(points)
        free = max(self.account.balance, ZERO)
        if points is not None and before is None and points > free:
            raise InsufficientPoints(current_balance=self.account.balance, requested_points=points)
        lots = [lot for lot in self.lots.in_spending_order() if before is None or self.lots.end(lot) < before]
        payments = self.lots.payments(free if points is None else points, lots=lots)
        total = sum((taken for _, taken in payments), ZERO)
        if not total:
            return None
        entry = self.append(entry_id, EntryType.EXPIRE, at=at, note=note, available=-total)
        self.pay(entry, payments)
        self.account.lifetime_expired += total
        return entry

    def take_back(
        self,
        *,
        entry_id: uuid.UUID,
        target: PointTransaction,
        points: Decimal,
        clawback: str,
        note: Note,
        at: datetime.datetime,
    ) -> PointTransaction:
        """This will reverse so much of an award or a positive adjustment: from its own lot, then from other free
        points in spending order; where those are short, as the lot's `clawback` says. Of an entry of an account that
        was merged into this one, its own are the lots that came of that lot.

        Raises:
            InsufficientPoints: they are short and the policy refuses, or the account may not go below zero.
        """
        self._check_decimals(points)
        own = self.lots.of_origin(target.id)
        was_pending = any(self.lots.is_pending(lot) for lot in own)
        payments = self.lots.payments(points, lots=own)
        from_own = sum((taken for _, taken in payments), ZERO)
        free = max(self.account.balance, ZERO)
        if not was_pending:
            free -= sum((lot.remaining for lot in own), ZERO)
        from_others = min(points - from_own, free)
        missing = points - from_own - from_others
        debt = missing if clawback == Clawback.NEGATIVE and self.account.may_go_negative else ZERO
        if missing and not debt and clawback != Clawback.TO_ZERO:
            raise InsufficientPoints(current_balance=self.account.balance, requested_points=points)

        own_ids = {lot.id for lot in own}
        others = [lot for lot in self.lots.in_spending_order() if lot.id not in own_ids]
        payments += self._payments(from_others, lots=others)
        entry = self.append(
            entry_id,
            EntryType.REVERSE,
            at=at,
            note=note,
            available=-(ZERO if was_pending else from_own) - from_others - debt,
            pending=-from_own if was_pending else ZERO,
            shortfall=missing - debt,
            reverses_id=target.id,
            other=self._elsewhere(target),
        )
        self.pay(entry, payments)
        self.owe(entry, debt)
        if target.type == EntryType.AWARD and not was_pending:
            self.earn(-points, entry=entry, earned_at=target.valid_from or target.effective_at)
        return entry

    def give_back(
        self,
        *,
        entry_id: uuid.UUID,
        target: PointTransaction,
        points: Decimal,
        spent: Spent,
        note: Note,
        at: datetime.datetime,
    ) -> PointTransaction:
        """This will reverse so much of a redemption or a negative adjustment: back to the lots that paid, newest use
        first, with their end. What a lot takes back after its end expires at once, by an entry that says so. For lots
        of an account that was merged into this one there are new ones, with their start, end and origin.
        """
        self.check_room(points)
        entry = self.append(
            entry_id,
            EntryType.REVERSE,
            at=at,
            note=note,
            available=points,
            reverses_id=target.id,
            other=self._elsewhere(target),
        )
        if target.type == EntryType.REDEEM:
            self.account.lifetime_redeemed -= points
        returned: dict[uuid.UUID, Lot] = {}
        of_debt = min(points, spent.debt)
        owed = min(of_debt, self.debt(entry))
        if owed:
            self.use(entry, None, -owed)
        paid_since = self._return(entry, of_debt - owed, spent.debt_payers, returned, pays_debt=True)
        left = self._return(entry, points - of_debt + paid_since, spent.by_lot, returned)
        self._return(entry, left, spent.debt_payers_elsewhere, returned)
        self.expire_returned(returned.values(), entry, note=note)
        return entry

    def _elsewhere(self, target: PointTransaction) -> Other | None:
        return None if target.account_id == self.account.id else Other(target.account_id)

    def check_room(self, points: Decimal) -> None:
        """This will let so many points go on into the account.

        Raises:
            errors.InvalidPoints: the amount is finer than the definition's, or the account would pass 15 digits.
        """
        self._check_decimals(points)
        owned = self.account.balance + self.account.pending + self.account.held + points
        if abs(owned) >= self._bound() or self.account.lifetime_earned + max(points, ZERO) >= self._bound():
            text = ngettext(
                "The account would need more than %(count)s digit.",
                "The account would need more than %(count)s digits.",
                MAX_DIGITS,
            )
            raise errors.InvalidPoints(points, text % {"count": MAX_DIGITS})

    def _new_lot(
        self,
        entry_id: uuid.UUID,
        points: Decimal,
        *,
        at: datetime.datetime,
        active_from: datetime.datetime | None = None,
        expires_at: datetime.datetime | None = None,
    ) -> Lot:
        starts_at = active_from or at
        months = None
        try:
            if expires_at is None:
                policy = self.definition.policy
                expires_at = expiry.end(policy=policy, starts_at=starts_at, zone=self.zone)
                if policy.kind == expiry.ExpiryPolicy.INACTIVITY:
                    months = policy.count
                    expiry.inactivity_end(last_activity_at=at, starts_at=starts_at, months=months, zone=self.zone)
            elif expires_at <= starts_at:
                raise errors.InvalidParameters(
                    {"expires_at": [_("Points must expire after now and after they become valid.")]}, rule="future"
                )
        except expiry.OutOfRange as error:
            raise errors.InvalidParameters({"valid_from": [str(error)]}, rule="out_of_range") from error
        return Lot(
            id=entry_id,
            version=self.account.version + 1,
            points=points,
            remaining=points,
            # The end of a lot that ends by inactivity is counted from its start where nothing happened since.
            active_from=starts_at if months else active_from,
            expires_at=expires_at,
            inactivity_months=months,
            clawback=self.definition.clawback,
            entry_id=entry_id,
        )

    def _return(
        self,
        entry: PointTransaction,
        points: Decimal,
        payers: Sequence[Payment],
        returned: dict[uuid.UUID, Lot],
        *,
        pays_debt: bool = False,
    ) -> Decimal:
        """This will give points back to those that paid, the newest first, and answer what is left to give."""
        for lot, paid in reversed(payers):
            back = min(paid, points)
            if back > 0:
                points -= back
                if lot.id not in self.lots:
                    new = self.bring(entry, lot, back)
                    returned[new.id] = new
                    continue
                own = self.lots[lot.id]
                self.use(entry, own, -back, pays_debt=pays_debt)
                returned[own.id] = own
        return points
