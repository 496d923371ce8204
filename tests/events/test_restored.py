"""Endpoints that come from another server go on where they stopped."""

from django.db import connections

from cards.models import Customer
from points import restored
from tests.api.v1.client import Client, done
from tests.events.hooks import award, deliver, hook
from tests.events.receivers import receiving

# What another server counted, which has counted further than this one ever will.
FURTHER = 10**12


def restore(shop: Client) -> None:
    with connections["owner"].cursor() as cursor:
        for table, column in (("events_event", "xid"), ("events_webhookendpoint", "cursor_xid")):
            cursor.execute(
                f"UPDATE {table} SET {column} = ({column}::text::bigint + %s)::text::xid8 WHERE program_id = %s",
                [FURTHER, shop.program.pk],
            )
        cursor.execute(
            "UPDATE events_webhookendpoint SET made_in = %s || ':' || %s || ':' WHERE program_id = %s",
            [str(FURTHER), str(FURTHER), shop.program.pk],
        )


def test_goes_on_where_it_stopped_long_before(shop: Client, alice: Customer) -> None:
    with receiving() as receiver:
        endpoint = hook(shop, receiver.url, events=["points.earned"])
        award(shop, alice)
        deliver()
        done(shop.patch(f"webhook-endpoints/{endpoint['id']}", {"active": False}))
        award(shop, alice)
        # Its own place is from the past here, too; that of the event that waits for it is not.
        with connections["owner"].cursor() as cursor:
            cursor.execute(
                "UPDATE events_event SET xid = %s::text::xid8 WHERE program_id = %s AND sequence = 2",
                [str(FURTHER), shop.program.pk],
            )
        restored.adopt()
        done(shop.patch(f"webhook-endpoints/{endpoint['id']}", {"active": True}))
        award(shop, alice)
        deliver()
    assert [seen.told["sequence"] for seen in receiver.seen] == [1, 2, 3]


def test_goes_on_where_it_stopped(shop: Client, alice: Customer, bob: Customer) -> None:
    with receiving() as receiver:
        hook(shop, receiver.url, events=["points.earned"])
        award(shop, bob)
        award(shop, alice)
        deliver()
        award(shop, alice)
        award(shop, alice)
        restore(shop)
        restored.adopt()
        award(shop, alice)
        deliver()
        restored.adopt()
        award(shop, bob)
        deliver()
    told = [(seen.told["customer_id"], seen.told["sequence"]) for seen in receiver.seen]
    names = [f"cus_{customer.pk.hex}" for customer in (alice, bob)]
    assert [sequence for name, sequence in told if name == names[0]] == [1, 2, 3, 4]
    assert [sequence for name, sequence in told if name == names[1]] == [1, 2]
