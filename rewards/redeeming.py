"""Redeeming points for a code: the reward's check, the points, the code and the stock commit together or not at all.

A reward that has a stock is locked before the account, so that the last one goes to one customer; no other reward is.
The caller's key belongs to the account and is looked up under its lock, as that of every single posting is: a record
written before the lock, under the same account, would wait for a posting with that key, and that posting for the lock.
"""

import dataclasses
import datetime
import functools
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from cards.membership import MOST_DRAWS
from events import outbox
from events.models import EventType
from loyalty import errors, idempotency, ids, retry
from loyalty.models import Program
from loyalty.postgres import prepared
from points import definitions, expiry, heirs, ledger, reasons, statements
from points.entering import VOUCHER
from points.models import AccountRef, EntryType
from rewards import catalogue, lapses, money, offers
from rewards.models import Lapse, Redemption, Reward, VoucherRule
from rewards.redemptions import draw_code

Render = Callable[[Redemption], idempotency.Answer]


class RewardUnavailable(errors.Refusal):
    """The reward is switched off, or not offered at this time."""

    code = "REWARD_UNAVAILABLE"
    status = 409
    message = "The reward is not available."


class RewardOutOfStock(errors.Refusal):
    """Nothing is left of the reward."""

    code = "REWARD_OUT_OF_STOCK"
    status = 409
    message = "The reward is out of stock."


class RewardLimitReached(errors.Refusal):
    """The customer has redeemed the reward as often as one may."""

    code = "REWARD_LIMIT_REACHED"
    status = 409
    message = "The customer has redeemed this reward as often as one may."


class TierRequired(errors.Refusal):
    """The reward is for customers of a higher tier."""

    code = "TIER_REQUIRED"
    status = 409

    def __init__(self, min_tier: str) -> None:
        super().__init__(f"The reward is for customers from the tier {min_tier} on.", min_tier=min_tier)


class PriceMismatch(errors.Refusal):
    """The points that were sent are not the reward's price."""

    code = "PRICE_MISMATCH"
    status = 400

    def __init__(self, *, price: Decimal) -> None:
        super().__init__(f"The reward costs {price.normalize():f} points.")
        self.faults = {"points": [self.message]}


class _CodeTaken(Exception):
    """Unwinds a transaction that drew the code of another redemption."""


class _Arrived(Exception):
    """Unwinds a transaction whose earlier try was committed, although word of it was lost."""


class _Merged(Exception):
    """Unwinds a transaction whose customer has become another: that one's tier, limit and points count."""

    def __init__(self, customer_id: uuid.UUID) -> None:
        self.customer_id = customer_id


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Redeemed:
    """What the caller is answered, and what was made; None where the answer is that of an earlier call."""

    answer: idempotency.Answer
    redemption: Redemption | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a customer wants for points: a reward at its price, or so many points as a code. `points` beside a reward
    are the price that the caller believes in; `definition` is the code of the points, where no reward says it;
    `card_id` is the card that was shown."""

    customer_id: uuid.UUID
    reward_id: uuid.UUID | None = None
    points: Decimal | None = None
    definition: str | None = None
    reason: str | None = None
    metadata: dict[str, Any] | None = None
    staff_member: str | None = None
    card_id: uuid.UUID | None = None


def redeem(
    *,
    program: Program,
    wish: Wish,
    actor: str,
    at: datetime.datetime,
    render: Render,
    key: idempotency.Key | None = None,
) -> Redeemed:
    """This will take points for a code, and answer it as `render` words it; the same key gets the same answer.

    Raises:
        errors.MissingParameters: neither a reward nor points are named.
        errors.InvalidParameters: there is no such definition, or the reward is bought with other points.
        cards.membership.CustomerNotFound: the customer was erased.
        catalogue.RewardNotFound, RewardUnavailable, RewardOutOfStock, RewardLimitReached, TierRequired, PriceMismatch.
        ledger.InsufficientPoints, errors.InvalidPoints: the points do not suffice, or are no amount.
        ledger.CardBlocked, ledger.CardInactive, ledger.CardExpired: the card that was shown does not redeem.
        ledger.TransactionLimitExceeded, errors.IdempotencyKeyReused, errors.Unavailable.
    """
    for _draw in range(MOST_DRAWS):
        order = _ordered(program, wish, actor=actor, at=at, render=render, key=key)
        lapses.of_customers([wish.customer_id], at=at)
        try:
            made = retry.run(functools.partial(_redeem, order, draw_code(), tried=[]))
        except _CodeTaken:
            continue
        except _Merged as merged:
            wish = dataclasses.replace(wish, customer_id=merged.customer_id)
            continue
        if isinstance(made, errors.Refusal):
            raise made
        return made
    raise errors.Unavailable


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Order:
    """A wish that can be posted: which account pays, and for what. Its ids are made before the first try."""

    account: AccountRef
    reward: Reward | None
    points: Decimal | None
    posting: ledger.Posting
    render: Render
    worth: Decimal | None
    redemption_id: uuid.UUID = dataclasses.field(default_factory=ids.new_id)


def _ordered(
    program: Program,
    wish: Wish,
    *,
    actor: str,
    at: datetime.datetime,
    render: Render,
    key: idempotency.Key | None,
) -> _Order:
    reward = None
    if wish.reward_id is not None:
        reward = catalogue.find(program=program, reward_id=wish.reward_id)
        if wish.definition not in (None, reward.definition.code):
            raise errors.InvalidParameters({"definition": ["The reward is bought with other points."]}, rule="exists")
    elif wish.points is None:
        raise errors.MissingParameters({"points": ["Send reward_id, points or both."]}, rule="required")
    kind = reward.definition if reward else definitions.find(program, wish.definition)
    account = AccountRef(program=program, definition=kind, customer_id=wish.customer_id)
    note = ledger.Note(
        reason=wish.reason or (reward.name if reward else reasons.REDEEMED),
        actor=actor,
        metadata=wish.metadata,
        staff_member=wish.staff_member,
        card_id=wish.card_id,
        source=VOUCHER,
    )
    posting = ledger.Posting(type=EntryType.REDEEM, account=account, points=None, at=at, note=note, key=key)
    return _Order(
        account=account,
        reward=reward,
        points=wish.points,
        posting=posting,
        render=render,
        worth=None if reward else worth(account, cast(Decimal, wish.points)),
    )


def worth(account: AccountRef, points: Decimal) -> Decimal | None:
    """This will answer what points alone are worth, where their definition says what one is."""
    rule = VoucherRule.objects.filter(
        definition=account.definition, is_active=True, conversion=VoucherRule.Conversion.ALL
    ).first()
    return None if rule is None or rule.point_value is None else money.worth(points, rule.point_value)


def _redeem(order: _Order, code: str, *, tried: list[Redeemed]) -> Redeemed | errors.Refusal:
    """This will post an order under a code, in one transaction that a refusal does not undo: what was due stays
    written. `tried` keeps what was made for a retry after a lost COMMIT."""
    with transaction.atomic():
        reward = order.reward
        # What is gone is gone; what there is no end of need not be counted.
        if reward is not None and reward.stock:
            reward = catalogue.locked(reward)
        sale = _Sale(order, reward, code, is_tried=bool(tried))
        posting = dataclasses.replace(
            order.posting, of_balance=sale.price, note=dataclasses.replace(order.posting.note, reference=code)
        )
        try:
            outcome = ledger.post(posting, render=sale.hand_out)
        except _Arrived:
            return tried[0]
        except errors.Unavailable:
            raise
        except errors.Refusal as refusal:
            if heir := heirs.of([order.account.id]):
                raise _Merged(heir[order.account.id]) from refusal
            return refusal
        assert outcome.answer is not None
        made = Redeemed(answer=outcome.answer, redemption=sale.redemption)
        if made.redemption is not None:
            tried[:] = [made]
        return made


class _Sale:
    """One try to redeem, under the locks that it needs."""

    def __init__(self, order: _Order, reward: Reward | None, code: str, *, is_tried: bool) -> None:
        self.order = order
        self.is_tried = is_tried
        self.reward = reward
        self.code = code
        self.redemption: Redemption | None = None

    def price(self, balance: Decimal) -> Decimal:
        """This will answer how many points it takes, asked under the account's lock, once a key is known to be new.

        Raises:
            PriceMismatch, RewardUnavailable, RewardOutOfStock, TierRequired, RewardLimitReached.
            errors.InvalidPoints: points alone are none, or worth too much.
            _Arrived: it was redeemed already, by a try that was lost.
        """
        # Under the lock: before, that try might still be on its way.
        if self.is_tried and Redemption.objects.filter(pk=self.order.redemption_id).exists():
            raise _Arrived
        if self._refusal is not None:
            raise self._refusal
        return self.reward.points_cost if self.reward else cast(Decimal, self.order.points)

    def hand_out(self, outcome: ledger.Outcome) -> idempotency.Answer:
        """This will write the code beside its entry, and take one of the reward off the stock.

        Raises:
            _CodeTaken: another redemption of the programme has the code.
            _Merged: the points were another customer's by now.
        """
        assert outcome.entry is not None
        if outcome.posting.account.id != self.order.account.id:
            raise _Merged(outcome.posting.account.customer_id)
        redemption = self._written(outcome)
        columns = [field.attname for field in Redemption._meta.concrete_fields]
        with connection.cursor() as cursor:
            prepared.execute(
                cursor, "hand_out", _hand_out(tuple(columns)), {name: getattr(redemption, name) for name in columns}
            )
            if cursor.rowcount == 0:
                raise _CodeTaken
        self.redemption = redemption
        outbox.record(EventType.REDEMPTION_CREATED, [redemption], program=self.order.account.program)
        return self.order.render(redemption)

    def _written(self, outcome: ledger.Outcome) -> Redemption:
        assert outcome.entry is not None
        account, reward, at = self.order.account, self.reward, outcome.posting.at
        return Redemption(
            id=self.order.redemption_id,
            program=account.program,
            customer_id=account.customer_id,
            definition=account.definition,
            reward=reward,
            account_id=account.id,
            entry_id=outcome.entry.id,
            code=self.code,
            points=-outcome.entry.points,
            balance_after=outcome.entry.balance_after,
            discount_amount=reward.discount_amount if reward else self.order.worth,
            discount_percent=reward.discount_percent if reward else None,
            currency=reward.currency if reward else account.program.currency,
            took_stock=reward is not None and reward.stock is not None,
            lapse=reward.lapse if reward else Lapse.FORFEIT.value,
            expires_at=_end(reward, account.program, at),
            created_at=at,
        )

    @functools.cached_property
    def _refusal(self) -> errors.Refusal | None:
        # Once a try: the ledger asks for the price twice.
        reward, account, at = self.reward, self.order.account, self.order.posting.at
        if reward is None:
            return self._refusal_of_points(cast(Decimal, self.order.points))
        if self.order.points not in (None, reward.points_cost):
            return PriceMismatch(price=reward.points_cost)
        if not reward.is_valid(at):
            return RewardUnavailable()
        if reward.stock == 0:
            return RewardOutOfStock()
        if reward.min_tier and not _has_tier(reward, account, at):
            return TierRequired(reward.min_tier)
        if reward.per_customer_limit is not None and _count(reward, account) >= reward.per_customer_limit:
            return RewardLimitReached()
        return None

    def _refusal_of_points(self, points: Decimal) -> errors.Refusal | None:
        if points <= 0:
            return errors.InvalidPoints(points)
        if self.order.worth is not None and self.order.worth >= money.TOO_MUCH:
            return errors.InvalidPoints(points, "These points are worth more than a code can be.")
        return None


@functools.cache
def _hand_out(columns: tuple[str, ...]) -> str:
    values = ", ".join(f"%({column})s" for column in columns)
    return (
        "WITH taken AS (UPDATE rewards_reward SET stock = stock - 1 WHERE %(took_stock)s AND id = %(reward_id)s)"
        f" INSERT INTO rewards_redemption ({', '.join(columns)}) VALUES ({values})"
        " ON CONFLICT (program_id, code) DO NOTHING"
    )


def _has_tier(reward: Reward, account: AccountRef, at: datetime.datetime) -> bool:
    """This will tell whether the customer holds the reward's tier or a higher one, by the clock."""
    known = statements.Statement()
    if account.definition.counts_for_tiers:
        known = statements.balance(account=account, at=at)
    return offers.is_for(reward, statements.progress(account=account, known=known, at=at))


def _count(reward: Reward, account: AccountRef) -> int:
    """This will count how many of the reward the customer has, up to the limit."""
    return offers.counting(account.customer_id).filter(reward=reward)[: reward.per_customer_limit].count()


def _end(reward: Reward | None, program: Program, at: datetime.datetime) -> datetime.datetime | None:
    if reward is None or reward.code_valid_days is None:
        return None
    policy = expiry.Policy(kind=expiry.ExpiryPolicy.DAYS, count=reward.code_valid_days)
    return expiry.end(policy=policy, starts_at=at, zone=ZoneInfo(program.timezone))
