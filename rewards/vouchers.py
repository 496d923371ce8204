"""Turning points into vouchers, and spending those: each once, however many ask at the same moment."""

import dataclasses
import datetime
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q, QuerySet

from cards import membership
from events import outbox
from events.models import EventType
from loyalty import errors, ids
from loyalty.models import Program
from points import descriptions, expiry, ledger, statements
from points.description_models import DescriptionCode
from points.entering import VOUCHER, VOUCHER_NUMBER
from points.models import AccountRef, EntryType
from rewards import money
from rewards.models import MOST_REACTIVATIONS, RewardVoucher, VoucherEvent, VoucherRule


class RewardVoucherNotFound(errors.NotFound):
    """The programme has no such voucher."""

    code = "REWARD_VOUCHER_NOT_FOUND"
    message = "There is no such voucher."


class RewardVoucherAlreadyRedeemed(errors.Refusal):
    """The voucher is redeemed."""

    code = "REWARD_VOUCHER_ALREADY_REDEEMED"
    status = 409
    message = "The voucher is redeemed already."


class RewardVoucherExpired(errors.Refusal):
    """The voucher's date has passed."""

    code = "REWARD_VOUCHER_EXPIRED"
    status = 409
    message = "The voucher has expired."


class RewardVoucherAlreadyActivated(errors.Refusal):
    """The voucher is not redeemed: there is nothing to reactivate."""

    code = "REWARD_VOUCHER_ALREADY_ACTIVATED"
    status = 409
    message = "The voucher is not redeemed."


class ReactivationLimitExceeded(errors.Refusal):
    """The voucher was reactivated as often as it may be."""

    code = "REACTIVATION_LIMIT_EXCEEDED"
    status = 409
    message = f"A voucher can be reactivated {MOST_REACTIVATIONS} times."


class VouchersNotActive(errors.Refusal):
    """These points do not become vouchers: their definition has no rule that says how."""

    code = "VOUCHERS_NOT_ACTIVE"
    status = 400
    message = "These points do not become vouchers."


class NoVoucher(errors.InvalidPoints):
    """These points make no voucher: they are too few or too many, or no whole steps."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """So many points become so much money."""

    points: Decimal
    value: Decimal


def work_out(rule: VoucherRule, *, balance: Decimal, asked: Decimal | None) -> Conversion:
    """This will answer which of the `balance` become a voucher of what value: all that the rule takes, or as many as
    are `asked`. The value is lowered to the cent, once.

    Raises:
        ledger.InsufficientPoints: there are not so many, or fewer than a voucher takes.
        NoVoucher: fewer are asked than a voucher takes, no whole steps, or they come to nothing, or to too much.
    """
    step = rule.step_points if rule.conversion == VoucherRule.Conversion.STEPS else None
    least = max(rule.smallest_points, step or rule.smallest_points)
    if asked is not None and asked < least:
        raise NoVoucher(asked, f"A voucher takes {least.normalize():f} points or more.")
    if asked is not None and step and asked % step:
        raise NoVoucher(asked, f"A voucher takes whole steps of {step.normalize():f} points.")
    if balance < (asked or least):
        raise ledger.InsufficientPoints(current_balance=balance, requested_points=asked or least)
    points = balance if asked is None else asked
    if step:
        assert rule.step_value is not None
        points -= points % step
        value = points // step * rule.step_value
    else:
        assert rule.point_value is not None
        value = money.worth(points, rule.point_value)
    if not 0 < value < money.TOO_MUCH:
        raise NoVoucher(points, "These points are worth less, or more, than a voucher can be.")
    return Conversion(points=points, value=value)


def convert(
    *, account: AccountRef, points: Decimal | None, actor: str, at: datetime.datetime, voucher_id: uuid.UUID
) -> RewardVoucher:
    """This will turn points of an account into a voucher, by the rule of their definition, in one transaction.

    Raises:
        VouchersNotActive: there is no such rule, or it is switched off.
        ledger.InsufficientPoints, NoVoucher: see `work_out`.
        errors.Unavailable: every number drawn was taken.
    """
    rule = VoucherRule.objects.filter(definition=account.definition, is_active=True).first()
    if rule is None:
        raise VouchersNotActive
    with transaction.atomic():
        ledger.lock([account])
        # Under the lock, so that it is what the redemption finds.
        balance = statements.balance(account=account, at=at).balance
        conversion = work_out(rule, balance=balance, asked=points)
        posting = ledger.Posting(
            type=EntryType.REDEEM,
            account=account,
            points=conversion.points,
            at=at,
            note=ledger.Note(reason=descriptions.written(DescriptionCode.VOUCHER), actor=actor, source=VOUCHER),
        )
        voucher = _issue(
            RewardVoucher(
                id=voucher_id,
                program=account.program,
                customer_id=account.customer_id,
                definition=account.definition,
                account_id=account.id,
                entry_id=posting.entry_id,
                name=rule.voucher_name,
                points=conversion.points,
                value=conversion.value,
                currency=account.program.currency,
                expires_at=_end(rule, account.program, at),
            )
        )
        note = dataclasses.replace(posting.note, reference=voucher.number, metadata={VOUCHER_NUMBER: voucher.number})
        [outcome] = ledger.post_many([dataclasses.replace(posting, note=note)])
        if outcome.refusal is not None:
            raise outcome.refusal
        outbox.record(EventType.VOUCHER_CREATED, [voucher], program=account.program)
    return voucher


def find(*, program: Program, voucher_id: uuid.UUID | None) -> RewardVoucher:
    """This will answer the programme's voucher of that id.

    Raises:
        RewardVoucherNotFound: there is none.
    """
    voucher = program.vouchers.filter(pk=voucher_id).first() if voucher_id else None
    if voucher is None:
        raise RewardVoucherNotFound
    return voucher


def of_contact(*, program: Program, contact_id: uuid.UUID) -> QuerySet[RewardVoucher]:
    """This will answer a customer's vouchers, newest first; those of who was merged into the customer among them."""
    return program.vouchers.filter(customer__in=membership.ids_of(contact_id)).order_by("-created_at", "-id")


def available(vouchers: QuerySet[RewardVoucher], *, at: datetime.datetime) -> QuerySet[RewardVoucher]:
    """This will answer those of the vouchers that can be redeemed."""
    return vouchers.filter(Q(expires_at=None) | Q(expires_at__gt=at), redeemed_at=None)


def redeem(*, program: Program, voucher_id: uuid.UUID | None, actor: str, at: datetime.datetime) -> RewardVoucher:
    """This will spend a voucher.

    Raises:
        RewardVoucherNotFound, RewardVoucherAlreadyRedeemed, RewardVoucherExpired.
    """
    with transaction.atomic():
        voucher = _locked(program, voucher_id)
        if voucher.redeemed_at is not None:
            raise RewardVoucherAlreadyRedeemed
        if voucher.expires_at is not None and voucher.expires_at <= at:
            raise RewardVoucherExpired
        voucher.redeemed_at = at
        voucher.save(update_fields=["redeemed_at"])
        _note(voucher, VoucherEvent.Kind.REDEEMED, actor, at)
        outbox.record(EventType.VOUCHER_REDEEMED, [voucher], program=program)
    return voucher


def reactivate(*, program: Program, voucher_id: uuid.UUID | None, actor: str, at: datetime.datetime) -> RewardVoucher:
    """This will make a voucher that was redeemed good again, at most three times.

    Raises:
        RewardVoucherNotFound, RewardVoucherAlreadyActivated, ReactivationLimitExceeded.
    """
    with transaction.atomic():
        voucher = _locked(program, voucher_id)
        if voucher.redeemed_at is None:
            raise RewardVoucherAlreadyActivated
        if voucher.reactivations >= MOST_REACTIVATIONS:
            raise ReactivationLimitExceeded
        voucher.redeemed_at = None
        voucher.reactivations += 1
        voucher.save(update_fields=["redeemed_at", "reactivations"])
        _note(voucher, VoucherEvent.Kind.REACTIVATED, actor, at)
    return voucher


def _locked(program: Program, voucher_id: uuid.UUID | None) -> RewardVoucher:
    voucher = find(program=program, voucher_id=voucher_id)
    # Read again under the lock: another may have spent it since.
    return RewardVoucher.objects.select_for_update(no_key=True).get(pk=voucher.pk)


def _note(voucher: RewardVoucher, kind: VoucherEvent.Kind, actor: str, at: datetime.datetime) -> None:
    VoucherEvent.objects.create(voucher=voucher, kind=kind, actor=actor, created_at=at)


def _end(rule: VoucherRule, program: Program, at: datetime.datetime) -> datetime.datetime | None:
    if rule.valid_months is None:
        return None
    return expiry.add_months(moment=at, months=rule.valid_months, zone=ZoneInfo(program.timezone))


def _issue(voucher: RewardVoucher) -> RewardVoucher:
    """This will write a voucher with a number that no other of the programme has."""
    for _draw in range(membership.MOST_DRAWS):
        voucher.number = ids.draw_code()
        RewardVoucher.objects.bulk_create([voucher], ignore_conflicts=True)
        issued = RewardVoucher.objects.filter(pk=voucher.pk).first()
        if issued is not None:
            return issued
    raise errors.Unavailable
