"""What points are redeemed for: the catalogue, codes and vouchers."""

from collections.abc import Iterator

from django.utils import timezone

from exchange.exports import base
from exchange.exports.base import Export, Range, Row
from loyalty.models import Program
from rewards import catalogue
from rewards.models import Redemption, RewardVoucher


def _rewards(program: Program, dates: Range) -> Iterator[Row]:
    for reward in base.in_order(catalogue.of_program(program=program).order_by("xid", "id"), dates):
        yield [
            reward.name,
            reward.points_cost,
            reward.definition.code,
            reward.description,
            reward.category,
            reward.discount_amount,
            reward.discount_percent,
            reward.currency,
            reward.stock,
            reward.per_customer_limit,
            reward.min_tier,
            reward.valid_from,
            reward.valid_to,
            reward.code_valid_days,
            reward.lapse,
            reward.is_active,
            reward.created_at,
        ]


def _redemptions(program: Program, dates: Range) -> Iterator[Row]:
    at = timezone.now()
    codes = Redemption.objects.select_related("reward", "definition").order_by("customer_id", "id")
    for code, whose in base.of_customers(program, codes):
        if dates.holds(code.created_at):
            yield [
                code.code,
                *whose,
                code.definition.code,
                code.reward.name if code.reward else None,
                code.points,
                code.discount_amount,
                code.discount_percent,
                code.currency,
                code.state(at),
                code.created_at,
                code.expires_at,
                code.used_at,
                code.cancelled_at,
                code.lapsed_at,
            ]


def _vouchers(program: Program, dates: Range) -> Iterator[Row]:
    at = timezone.now()
    vouchers = RewardVoucher.objects.order_by("customer_id", "created_at", "id")
    for voucher, whose in base.of_customers(program, vouchers):
        if dates.holds(voucher.created_at):
            yield [
                voucher.number,
                *whose,
                voucher.points,
                voucher.value,
                voucher.currency,
                voucher.state(at),
                voucher.created_at,
                voucher.expires_at,
                voucher.redeemed_at,
            ]


EXPORTS = {
    "rewards": Export(
        title="Rewards",
        columns=(
            *("name", "points_cost", "definition", "description", "category", "discount_amount", "discount_percent"),
            *("currency", "stock", "per_customer_limit", "min_tier", "valid_from", "valid_to", "code_valid_days"),
            *("lapse", "is_active", "created_at"),
        ),
        rows=_rewards,
    ),
    "redemptions": Export(
        title="Redemption codes",
        columns=(
            *("code", *base.WHOSE, "definition", "reward", "points", "discount_amount", "discount_percent", "currency"),
            *("state", "created_at", "expires_at", "used_at", "cancelled_at", "lapsed_at"),
        ),
        rows=_redemptions,
    ),
    "vouchers": Export(
        title="Vouchers",
        columns=(
            *("number", *base.WHOSE, "points", "value", "currency", "state", "created_at", "expires_at", "redeemed_at"),
        ),
        rows=_vouchers,
    ),
}
