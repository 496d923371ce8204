"""What is posted is signed, so that a receiver knows who posted it."""

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from cards.models import Customer
from tests.api.v1.client import Client, done
from tests.events.hooks import award, deliver, hook
from tests.events.receivers import receiving


def test_verifies_with_the_librarys_own_words(shop: Client, alice: Customer) -> None:
    with receiving() as receiver:
        endpoint = hook(shop, receiver.url)
        award(shop, alice)
        deliver()
    [seen] = receiver.seen
    told = Webhook(endpoint["secret"]).verify(seen.body, dict(seen.headers))
    assert told == done(shop.get("events"))["data"][-1]
    assert seen.headers["webhook-id"] == told["id"]
    assert "x-loyalty-signature" not in seen.headers
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(seen.body, dict(seen.headers))
