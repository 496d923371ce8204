"""Rewards and the codes that points become: one method for each thing that the API does with them."""

from collections.abc import Iterator
from typing import Literal

from loyalty_client import records
from loyalty_client.connection import segment
from loyalty_client.records import Amount, Page, Redemption, Reward, When
from loyalty_client.resources import UNCHANGED, Resource, Unchanged, changed, given, iterate


class Rewards(Resource):
    """What points can be redeemed for."""

    def create(
        self,
        *,
        name: str,
        points_cost: Amount,
        description: str | None = None,
        category: str | None = None,
        definition: str | None = None,
        discount_amount: Amount | None = None,
        discount_percent: Amount | None = None,
        currency: str | None = None,
        stock: int | None = None,
        per_customer_limit: int | None = None,
        valid_from: When | None = None,
        valid_to: When | None = None,
        code_valid_days: int | None = None,
        min_tier: str | None = None,
        on_expiry: Literal["returned", "forfeited"] | None = None,
        active: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Reward:
        """This will add a reward."""
        body = given(
            name=name,
            points_cost=points_cost,
            description=description,
            category=category,
            definition=definition,
            discount_amount=discount_amount,
            discount_percent=discount_percent,
            currency=currency,
            stock=stock,
            per_customer_limit=per_customer_limit,
            valid_from=valid_from,
            valid_to=valid_to,
            code_valid_days=code_valid_days,
            min_tier=min_tier,
            on_expiry=on_expiry,
            active=active,
        )
        return records.read(Reward, self._connection.post("/rewards", body, key=idempotency_key))

    def retrieve(self, reward: str) -> Reward:
        """This will answer a reward."""
        return records.read(Reward, self._connection.get(f"/rewards/{segment(reward)}"))

    def update(
        self,
        reward: str,
        *,
        name: str | Unchanged = UNCHANGED,
        points_cost: Amount | Unchanged = UNCHANGED,
        description: str | Unchanged | None = UNCHANGED,
        category: str | Unchanged | None = UNCHANGED,
        discount_amount: Amount | Unchanged | None = UNCHANGED,
        discount_percent: Amount | Unchanged | None = UNCHANGED,
        currency: str | Unchanged | None = UNCHANGED,
        stock: int | Unchanged | None = UNCHANGED,
        per_customer_limit: int | Unchanged | None = UNCHANGED,
        valid_from: When | Unchanged | None = UNCHANGED,
        valid_to: When | Unchanged | None = UNCHANGED,
        code_valid_days: int | Unchanged | None = UNCHANGED,
        min_tier: str | Unchanged | None = UNCHANGED,
        on_expiry: Literal["returned", "forfeited"] | Unchanged = UNCHANGED,
        active: bool | Unchanged = UNCHANGED,
    ) -> Reward:
        """This will change the fields that are named; None empties one."""
        changes = changed(
            name=name,
            points_cost=points_cost,
            description=description,
            category=category,
            discount_amount=discount_amount,
            discount_percent=discount_percent,
            currency=currency,
            stock=stock,
            per_customer_limit=per_customer_limit,
            valid_from=valid_from,
            valid_to=valid_to,
            code_valid_days=code_valid_days,
            min_tier=min_tier,
            on_expiry=on_expiry,
            active=active,
        )
        return records.read(Reward, self._connection.patch(f"/rewards/{segment(reward)}", changes))

    def list(
        self,
        *,
        active: bool | None = None,
        category: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[Reward]:
        """This will answer a page of the rewards."""
        query = given(
            active=active, category=category, limit=limit, starting_after=starting_after, ending_before=ending_before
        )
        return records.read_page(Reward, self._connection.get("/rewards", query))

    def iterate(
        self,
        *,
        active: bool | None = None,
        category: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
    ) -> Iterator[Reward]:
        """This will go through all rewards, `limit` at a time."""

        def list_after(row: str | None) -> Page[Reward]:
            return self.list(active=active, category=category, limit=limit, starting_after=row)

        return iterate(list_after, starting_after)


class Redemptions(Resource):
    """Codes that points became; each is named by its id or by the code itself."""

    def retrieve(self, redemption: str) -> Redemption:
        """This will answer a redemption."""
        return records.read(Redemption, self._connection.get(f"/redemptions/{segment(redemption)}"))

    def use(self, redemption: str, *, idempotency_key: str | None = None) -> Redemption:
        """This will take a code at the till: once."""
        path = f"/redemptions/{segment(redemption)}/use"
        return records.read(Redemption, self._connection.post(path, {}, key=idempotency_key))

    def cancel(self, redemption: str, *, idempotency_key: str | None = None) -> Redemption:
        """This will give the points back."""
        path = f"/redemptions/{segment(redemption)}/cancel"
        return records.read(Redemption, self._connection.post(path, {}, key=idempotency_key))
