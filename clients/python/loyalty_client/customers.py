"""Customers and their points: one method for each thing that the API does with them."""

from collections.abc import Iterator
from typing import Literal

from loyalty_client import records
from loyalty_client.connection import segment
from loyalty_client.records import (
    Amount,
    Customer,
    Explanation,
    Hold,
    Metadata,
    Page,
    PointsTransaction,
    Redemption,
    Tier,
    TransactionType,
    Transfer,
    When,
)
from loyalty_client.resources import UNCHANGED, Resource, Unchanged, changed, given, iterate


class Points(Resource):
    """Points that are earned, spent and corrected."""

    def award(
        self,
        *,
        customer_id: str,
        points: Amount,
        reason: str,
        type: Literal["purchase", "bonus", "referral", "activity", "manual"] | None = None,
        expires_at: When | None = None,
        reference: str | None = None,
        metadata: Metadata | None = None,
        definition: str | None = None,
        idempotency_key: str | None = None,
    ) -> PointsTransaction:
        """This will give points to a customer."""
        body = given(
            customer_id=customer_id,
            points=points,
            reason=reason,
            type=type,
            expires_at=expires_at,
            reference=reference,
            metadata=metadata,
            definition=definition,
        )
        return records.read(PointsTransaction, self._connection.post("/points/award", body, key=idempotency_key))

    def redeem(
        self,
        *,
        customer_id: str,
        reward_id: str | None = None,
        points: Amount | None = None,
        reason: str | None = None,
        metadata: Metadata | None = None,
        definition: str | None = None,
        idempotency_key: str | None = None,
    ) -> Redemption:
        """This will make a code of points: for a reward, so many points, or both, which must be the same."""
        body = given(
            customer_id=customer_id,
            reward_id=reward_id,
            points=points,
            reason=reason,
            metadata=metadata,
            definition=definition,
        )
        return records.read(Redemption, self._connection.post("/points/redeem", body, key=idempotency_key))

    def adjust(
        self,
        *,
        customer_id: str,
        points: Amount,
        reason: str,
        reference: str | None = None,
        metadata: Metadata | None = None,
        definition: str | None = None,
        idempotency_key: str | None = None,
    ) -> PointsTransaction:
        """This will correct a balance by points of either sign."""
        body = given(
            customer_id=customer_id,
            points=points,
            reason=reason,
            reference=reference,
            metadata=metadata,
            definition=definition,
        )
        return records.read(PointsTransaction, self._connection.post("/points/adjust", body, key=idempotency_key))

    def list(
        self,
        *,
        customer_id: str,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        type: TransactionType | None = None,
        definition: str | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[PointsTransaction]:
        """This will answer a page of what a customer earned and spent."""
        query = given(
            customer_id=customer_id,
            limit=limit,
            order=order,
            type=type,
            definition=definition,
            starting_after=starting_after,
            ending_before=ending_before,
        )
        return records.read_page(PointsTransaction, self._connection.get("/points", query))

    def iterate(
        self,
        *,
        customer_id: str,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        type: TransactionType | None = None,
        definition: str | None = None,
        starting_after: str | None = None,
    ) -> Iterator[PointsTransaction]:
        """This will go through all that a customer earned and spent, `limit` at a time."""

        def list_after(row: str | None) -> Page[PointsTransaction]:
            return self.list(
                customer_id=customer_id, limit=limit, order=order, type=type, definition=definition, starting_after=row
            )

        return iterate(list_after, starting_after)


class Customers(Resource):
    """The people, and what they have."""

    def create(
        self,
        *,
        email: str | None = None,
        name: str | None = None,
        phone: str | None = None,
        external_id: str | None = None,
        locale: str | None = None,
        metadata: Metadata | None = None,
        idempotency_key: str | None = None,
    ) -> Customer:
        """This will add a customer."""
        body = given(email=email, name=name, phone=phone, external_id=external_id, locale=locale, metadata=metadata)
        return records.read(Customer, self._connection.post("/customers", body, key=idempotency_key))

    def retrieve(self, customer: str) -> Customer:
        """This will answer a customer."""
        return records.read(Customer, self._connection.get(_customer(customer)))

    def update(
        self,
        customer: str,
        *,
        email: str | Unchanged | None = UNCHANGED,
        name: str | Unchanged | None = UNCHANGED,
        phone: str | Unchanged | None = UNCHANGED,
        external_id: str | Unchanged | None = UNCHANGED,
        locale: str | Unchanged | None = UNCHANGED,
        metadata: Metadata | Unchanged | None = UNCHANGED,
    ) -> Customer:
        """This will change the fields that are named; None empties one."""
        changes = changed(
            email=email, name=name, phone=phone, external_id=external_id, locale=locale, metadata=metadata
        )
        return records.read(Customer, self._connection.patch(_customer(customer), changes))

    def list(
        self,
        *,
        email: str | None = None,
        external_id: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[Customer]:
        """This will answer a page of the customers, the newest first."""
        query = given(
            email=email,
            external_id=external_id,
            limit=limit,
            starting_after=starting_after,
            ending_before=ending_before,
        )
        return records.read_page(Customer, self._connection.get("/customers", query))

    def iterate(self, *, limit: int | None = None, starting_after: str | None = None) -> Iterator[Customer]:
        """This will go through all customers, the newest first, `limit` at a time."""
        return iterate(lambda row: self.list(limit=limit, starting_after=row), starting_after)

    def merge(self, customer: str, *, into: str, idempotency_key: str | None = None) -> Customer:
        """This will move all that a customer has to another one, who stays and is answered."""
        path = f"{_customer(customer)}/merge"
        return records.read(Customer, self._connection.post(path, {"into": into}, key=idempotency_key))

    def erase(self, customer: str) -> None:
        """This will erase the person and keep the ledger; the points are forfeited."""
        self._connection.delete(_customer(customer))

    def explain(self, customer: str, *, definition: str | None = None) -> Explanation:
        """This will answer why a balance is what it is."""
        path = f"{_customer(customer)}/explain"
        return records.read(Explanation, self._connection.get(path, given(definition=definition)))


class Tiers(Resource):
    """The programme's tiers."""

    def list(self) -> Page[Tier]:
        """This will answer all tiers."""
        return records.read_page(Tier, self._connection.get("/tiers"))


class Holds(Resource):
    """Points that are set aside."""

    def create(
        self,
        *,
        customer_id: str,
        points: Amount,
        expires_in: int | None = None,
        reference: str | None = None,
        metadata: Metadata | None = None,
        definition: str | None = None,
        idempotency_key: str | None = None,
    ) -> Hold:
        """This will set points aside for so many seconds: 900, or what is named, at most 7 days."""
        body = given(
            customer_id=customer_id,
            points=points,
            expires_in=expires_in,
            reference=reference,
            metadata=metadata,
            definition=definition,
        )
        return records.read(Hold, self._connection.post("/holds", body, key=idempotency_key))

    def retrieve(self, hold: str) -> Hold:
        """This will answer a hold."""
        return records.read(Hold, self._connection.get(f"/holds/{segment(hold)}"))

    def capture(
        self,
        hold: str,
        *,
        points: Amount | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> Hold:
        """This will spend the points, or so many of them, and give back the rest."""
        path, body = f"/holds/{segment(hold)}/capture", given(points=points, reason=reason)
        return records.read(Hold, self._connection.post(path, body, key=idempotency_key))

    def release(self, hold: str, *, idempotency_key: str | None = None) -> Hold:
        """This will give the points back."""
        path = f"/holds/{segment(hold)}/release"
        return records.read(Hold, self._connection.post(path, {}, key=idempotency_key))


class Transfers(Resource):
    """Points that a customer gives to another."""

    def create(
        self,
        *,
        from_customer_id: str,
        to_customer_id: str,
        points: Amount,
        reason: str,
        reference: str | None = None,
        metadata: Metadata | None = None,
        definition: str | None = None,
        idempotency_key: str | None = None,
    ) -> Transfer:
        """This will move points, where the programme allows it."""
        body = given(
            from_customer_id=from_customer_id,
            to_customer_id=to_customer_id,
            points=points,
            reason=reason,
            reference=reference,
            metadata=metadata,
            definition=definition,
        )
        return records.read(Transfer, self._connection.post("/transfers", body, key=idempotency_key))


def _customer(name: str) -> str:
    return f"/customers/{segment(name)}"
