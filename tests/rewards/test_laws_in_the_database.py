"""What must never be false of rewards and codes, asked round the code."""

from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, connections, transaction

from rewards.models import Redemption, Reward
from tests.points.till import days
from tests.rewards.shop import Shop


@pytest.fixture
def reward(shop: Shop) -> Reward:
    return shop.reward(stock=3, code_valid_days=5, lapse="return")


@pytest.fixture
def made(shop: Shop, reward: Reward) -> Redemption:
    return shop.redeem(shop.customer(300), reward)


def as_owner(sql: str, *arguments: Any) -> None:
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute(sql, arguments)


def as_the_service(sql: str, *arguments: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, arguments)


@pytest.mark.parametrize(
    ("change", "law"),
    [
        ("stock = -1", "reward_stock_not_negative|rewards_reward_stock_check"),
        ("points_cost = 0", "reward_points_cost_positive"),
        ("per_customer_limit = 0", "reward_limit_positive"),
        ("code_valid_days = 0", "reward_code_valid_days_positive"),
        ("discount_amount = 0", "reward_discount_amount_positive"),
        ("discount_percent = 100.01", "reward_discount_percent_up_to_100"),
        ("discount_amount = 1, discount_percent = 1", "reward_discount_is_amount_or_percent"),
        ("valid_from = '2026-01-02', valid_to = '2026-01-02'", "reward_ends_after_it_starts"),
        ("program_id = program_id", "append-only"),
        ("definition_id = definition_id", "append-only"),
    ],
)
def test_a_reward_stays_what_it_may_be(reward: Reward, change: str, law: str) -> None:
    with pytest.raises(IntegrityError, match=law):
        as_the_service(f"UPDATE rewards_reward SET {change} WHERE id = %s", reward.pk)


def test_nothing_is_deleted(reward: Reward, made: Redemption, shop: Shop) -> None:
    shop.use(made)
    for table in ("rewards_reward", "rewards_redemption", "rewards_redemptionevent"):
        with pytest.raises(IntegrityError, match="append-only"):
            as_owner(f"DELETE FROM {table}")
        with pytest.raises(IntegrityError, match="append-only"):
            as_owner(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize(
    "column",
    [
        "id",
        "program_id",
        "definition_id",
        "reward_id",
        "entry_id",
        "code",
        "points",
        "balance_after",
        "discount_amount",
        "discount_percent",
        "currency",
        "took_stock",
        "lapse",
        "expires_at",
        "created_at",
    ],
)
def test_of_a_redemption_only_its_state_changes(made: Redemption, column: str) -> None:
    sql = f"UPDATE rewards_redemption SET {column} = {column} WHERE id = %s"
    with pytest.raises(IntegrityError, match="append-only"):
        as_owner(sql, made.pk)
    with pytest.raises(ProgrammingError, match="permission denied"):
        as_the_service(sql, made.pk)


def test_the_columns_that_never_change_are_all_but_the_state() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'rewards_redemption'::regclass AND attnum > 0"
            " AND NOT attisdropped AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = attrelid"
            " AND t.tgname = 'redemptions_never_change_but_in_their_state' AND attnum = ANY (t.tgattr))"
        )
        assert {name for (name,) in cursor.fetchall()} == {
            *("used_at", "cancelled_at", "lapsed_at"),
            # With its account, see test_merged_customers.py.
            *("customer_id", "account_id"),
        }


@pytest.mark.parametrize("change", ["used_at = NULL", "cancelled_at = now()", "used_at = used_at"])
def test_a_code_ends_once(shop: Shop, made: Redemption, change: str) -> None:
    shop.use(made)
    with pytest.raises(IntegrityError, match="append-only"):
        as_the_service(f"UPDATE rewards_redemption SET {change} WHERE id = %s", made.pk)


def test_a_code_ends_in_one_way_and_lapses_at_its_end(made: Redemption) -> None:
    with pytest.raises(IntegrityError, match="redemption_ends_in_one_way"):
        as_the_service("UPDATE rewards_redemption SET used_at = now(), cancelled_at = now() WHERE id = %s", made.pk)
    with pytest.raises(IntegrityError, match="redemption_lapses_at_its_end"):
        as_the_service("UPDATE rewards_redemption SET lapsed_at = %s WHERE id = %s", days(4), made.pk)


def test_what_happened_to_a_code_never_changes(shop: Shop, made: Redemption) -> None:
    shop.use(made)
    sql = "UPDATE rewards_redemptionevent SET actor = 'nobody' WHERE redemption_id = %s"
    with pytest.raises(IntegrityError, match="append-only"):
        as_owner(sql, made.pk)
    with pytest.raises(ProgrammingError, match="permission denied"):
        as_the_service(sql, made.pk)
