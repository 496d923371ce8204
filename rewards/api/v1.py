"""The customers face's operations on rewards and redemptions."""

import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request

from cards import customers
from cards.membership import CustomerNotFound
from loyalty import errors, idempotency, ids
from loyalty.api import renderers, v1, values
from loyalty.models import Program, Scope
from loyalty.permissions import caller
from points import ledger
from rewards import catalogue, redeeming, redemptions
from rewards.api import v1_shapes as shapes
from rewards.models import Redemption, Reward, RewardVoucher

_REWARD = {"name": "Coffee", "points_cost": 200, "discount_amount": 5, "stock": 25, "code_valid_days": 30}
_WISH = {"customer_id": "cus_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0", "reward_id": "rwd_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0"}
_ENDED = (
    redemptions.RedemptionNotFound,
    redemptions.AlreadyUsed,
    redemptions.RedemptionCancelled,
    redemptions.RedemptionExpired,
    errors.IdempotencyKeyReused,
)
# What clears a field.
_NOTHING: dict[str, Any] = {"description": "", "category": "", "min_tier": ""}


class RewardsViewSet(v1.V1ViewSet):
    """Makes, tells, changes and lists rewards."""

    scopes = {
        "create": Scope.REWARDS_MANAGE,
        "list": Scope.POINTS_READ,
        "retrieve": Scope.POINTS_READ,
        "update": Scope.REWARDS_MANAGE,
    }
    refusals = {
        "create": (errors.InvalidPoints, errors.IdempotencyKeyReused),
        "list": (errors.InvalidParameters,),
        "retrieve": (catalogue.RewardNotFound,),
        "update": (errors.InvalidPoints, catalogue.RewardNotFound),
    }

    @extend_schema(
        summary="Make a reward",
        tags=v1.REWARDS,
        request=shapes.RewardInput,
        responses={201: shapes.Reward},
        examples=[OpenApiExample("Five euros off", value=_REWARD, request_only=True)],
    )
    def create(self, request: Request) -> HttpResponse:
        """Makes a reward that customers can redeem points for."""
        body = shapes.RewardInput.read(request.data)
        program = caller(request).program
        definition = body.pop("definition")
        said = _said(body, program)

        def work() -> idempotency.Answer:
            return v1.answer(_told(catalogue.create(program=program, definition=definition, **said)), 201)

        return v1.once(request, work)

    @extend_schema(
        summary="Rewards",
        tags=v1.REWARDS,
        parameters=[shapes.RewardsQuery],
        responses={200: v1.list_of(shapes.Reward)},
    )
    def list(self, request: Request) -> HttpResponse:
        """Lists the programme's rewards, the newest first. The cursor neither skips nor repeats a reward while others
        are made; one that is just being made may come a moment later."""
        query = shapes.RewardsQuery.read(request.query_params.dict())
        program = caller(request).program
        is_active = None if query["active"] is None else query["active"] == "true"
        page = v1.read_page(
            catalogue.of_program(program=program, is_active=is_active, category=query["category"]),
            query,
            find=lambda reference: _of_list(program, reference),
            after=catalogue.after,
            before=catalogue.before,
        )
        return v1.respond_with_list([_told(reward) for reward in page.rows], has_more=page.has_more)

    @extend_schema(summary="Reward", tags=v1.REWARDS, responses={200: shapes.Reward})
    def retrieve(self, request: Request, reward_id: str) -> HttpResponse:
        """Tells a reward, and how many are left of it."""
        program = caller(request).program
        return v1.respond(_told(catalogue.find(program=program, reward_id=ids.parse("rwd", reward_id))))

    @extend_schema(
        summary="Change a reward",
        tags=v1.REWARDS,
        request=shapes.RewardChange,
        responses={200: shapes.Reward},
        examples=[OpenApiExample("More of it", value={"stock": 100}, request_only=True)],
    )
    def update(self, request: Request, reward_id: str) -> HttpResponse:
        """Changes what is sent of a reward; null clears. Codes that exist keep what they cost and what they are worth.
        Which points buy it stays as it is."""
        program = caller(request).program
        said = _said(shapes.RewardChange.read(request.data), program)
        return v1.respond(_told(catalogue.change(program=program, reward_id=ids.parse("rwd", reward_id), **said)))


class RedemptionsViewSet(v1.V1ViewSet):
    """Redeems points for codes, tells, takes and cancels those."""

    scopes = {
        "redeem": Scope.POINTS_MANAGE,
        "retrieve": Scope.POINTS_READ,
        "use": Scope.POINTS_MANAGE,
        "cancel": Scope.POINTS_MANAGE,
    }
    refusals = {
        "redeem": (
            CustomerNotFound,
            catalogue.RewardNotFound,
            redeeming.PriceMismatch,
            redeeming.RewardUnavailable,
            redeeming.RewardOutOfStock,
            redeeming.RewardLimitReached,
            redeeming.TierRequired,
            errors.InvalidPoints,
            ledger.InsufficientPoints,
            ledger.TransactionLimitExceeded,
            errors.IdempotencyKeyReused,
        ),
        "retrieve": (redemptions.RedemptionNotFound,),
        "use": _ENDED,
        "cancel": (*_ENDED, CustomerNotFound, errors.InvalidPoints, ledger.TransactionLimitExceeded),
    }

    @extend_schema(
        summary="Redeem points",
        tags=v1.REWARDS,
        request=shapes.RedeemPointsInput,
        responses={201: shapes.PointsRedemption},
        examples=[
            OpenApiExample("A reward", value=_WISH, request_only=True),
            OpenApiExample(
                "Points alone", value={"customer_id": _WISH["customer_id"], "points": 200}, request_only=True
            ),
        ],
    )
    def redeem(self, request: Request) -> HttpResponse:
        """Takes points of a customer for a code that can be used at the till: a reward at its price, or points alone at
        the value of a point. The points, the code and the stock change together, or nothing does. An
        `Idempotency-Key` is the account's."""
        body = shapes.RedeemPointsInput.read(request.data)
        program, now = caller(request).program, timezone.now()
        made = redeeming.redeem(
            program=program,
            wish=redeeming.Wish(
                customer_id=customers.find(program=program, reference=body["customer_id"]).pk,
                reward_id=_reward_id(body["reward_id"]),
                points=body["points"],
                definition=body["definition"],
                reason=body["reason"],
                metadata=body["metadata"],
            ),
            actor=caller(request).key_id,
            at=now,
            key=v1.key_of(request),
            render=lambda redemption: v1.answer(_written(redemption, redemption.state(now)), 201),
        )
        return v1.send(made.answer)

    @extend_schema(summary="Redemption", tags=v1.REWARDS, responses={200: shapes.PointsRedemption})
    def retrieve(self, request: Request, redemption_id: str) -> HttpResponse:
        """Tells a redemption, by its id or by its code, in any case."""
        now = timezone.now()
        redemption = redemptions.find(program=caller(request).program, reference=redemption_id, at=now)
        return v1.respond(_written(redemption, redemption.state(now)))

    @extend_schema(summary="Use a code", tags=v1.REWARDS, request=None, responses={200: shapes.PointsRedemption})
    def use(self, request: Request, redemption_id: str) -> HttpResponse:
        """Takes a code at the till, by its id or as it was typed, in any case. Once, however many ask."""
        return _changed(request, redemption_id, redemptions.use)

    @extend_schema(summary="Cancel a code", tags=v1.REWARDS, request=None, responses={200: shapes.PointsRedemption})
    def cancel(self, request: Request, redemption_id: str) -> HttpResponse:
        """Ends a code that nobody used: its points go back to the lots that paid, with their expiry, and its reward
        back into stock. Points of a lot that has ended meanwhile expire at once."""
        return _changed(request, redemption_id, redemptions.cancel)


def told(rows: Sequence[Redemption], _: Program) -> list[dict[str, Any]]:
    """This will answer what events tell of redemptions: what they are now."""
    now = timezone.now()
    return renderers.plain([_written(redemption, redemption.state(now)) for redemption in rows])


def vouchers_told(rows: Sequence[RewardVoucher], _: Program) -> list[dict[str, Any]]:
    """This will answer what events tell of vouchers: what they are now."""
    now = timezone.now()
    return renderers.plain([shapes.EventVoucher.write(voucher, status=voucher.state(now).value) for voucher in rows])


def _changed(request: Request, redemption_id: str, change: Callable[..., Redemption]) -> HttpResponse:
    now = timezone.now()

    def work() -> idempotency.Answer | errors.Refusal:
        try:
            redemption = change(
                program=caller(request).program, reference=redemption_id, actor=caller(request).key_id, at=now
            )
        except errors.Unavailable:
            raise
        except errors.Refusal as refusal:
            # Returned, what was due stays written.
            return refusal
        return v1.answer(_written(redemption, redemption.state(now)))

    return v1.once(request, work)


def _of_list(program: Program, reference: str) -> Reward | None:
    key = ids.parse("rwd", reference)
    return program.rewards.filter(pk=key).first() if key else None


def _reward_id(reference: str | None) -> uuid.UUID | None:
    if reference is None:
        return None
    key = ids.parse("rwd", reference)
    if key is None:
        raise catalogue.RewardNotFound
    return key


def _said(body: dict[str, Any], program: Program) -> dict[str, Any]:
    """This will answer what a body says of a reward, as the model has it."""
    zone = ZoneInfo(program.timezone)
    said = shapes.told(body)
    for name, value in said.items():
        if value is None:
            said[name] = program.currency if name == "currency" else _NOTHING.get(name)
        elif isinstance(value, Decimal):
            # 5.000 has three decimals to the column, which are none.
            said[name] = value.normalize()
    if said.get("valid_from") is not None:
        said["valid_from"] = values.start(said["valid_from"], zone)
    if said.get("valid_to") is not None:
        said["valid_to"] = values.until(said["valid_to"], zone)
    if "lapse" in said:
        said["lapse"] = next(lapse for lapse, word in shapes.ON_EXPIRY.items() if word == said["lapse"])
    return said


def _told(reward: Reward) -> dict[str, Any]:
    return shapes.Reward.write(
        reward,
        description=reward.description or None,
        category=reward.category or None,
        min_tier=reward.min_tier or None,
        on_expiry=shapes.ON_EXPIRY[reward.lapse],
    )


def _written(redemption: Redemption, state: Redemption.State) -> dict[str, Any]:
    return shapes.PointsRedemption.write(redemption, status=state.value)
