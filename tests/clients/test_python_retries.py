"""The Python client, where something between it and the service goes wrong."""

import datetime
import email.utils
import itertools
import json
import random
import time
from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest

import loyalty_client
from loyalty_client import Customer, Loyalty, PointsTransaction
from tests.clients.proxy import HANG, LOSE, Answer, Proxy


@pytest.fixture
def alice(client: Loyalty) -> Customer:
    return client.customers.create(name="Alice")


@pytest.fixture
def proxied(proxy: Proxy, secret: str) -> Iterator[Loyalty]:
    with Loyalty(base_url=proxy.url, secret=secret) as client:
        yield client


def award(client: Loyalty, customer: Customer, key: str | None = None) -> PointsTransaction:
    return client.points.award(customer_id=customer.id, points=100, reason="Purchase", idempotency_key=key)


def posted(client: Loyalty, customer: Customer) -> list[int | Decimal]:
    return [transaction.points for transaction in client.points.list(customer_id=customer.id).data]


def test_posts_once_where_the_answer_is_lost_again_and_again(proxy, proxied, client, alice):
    proxy.next = [LOSE, LOSE]
    assert award(proxied, alice).balance_after == 100
    assert len(proxy.seen) == 3
    assert len(set(proxy.keys)) == 1
    assert len(proxy.keys[0]) == 32
    assert posted(client, alice) == [100]


def test_posts_once_where_the_answer_does_not_come_in_time(proxy, secret, client, alice):
    proxy.next = [HANG]
    with Loyalty(base_url=proxy.url, secret=secret, timeout=3) as impatient:
        assert award(impatient, alice).balance_after == 100
    assert len(proxy.seen) == 2
    assert len(set(proxy.keys)) == 1
    assert posted(client, alice) == [100]


def test_makes_a_key_for_each_call(proxy, proxied, client, alice):
    award(proxied, alice)
    award(proxied, alice)
    assert len(set(proxy.keys)) == 2
    assert posted(client, alice) == [100, 100]


def test_posts_once_under_a_key_of_the_callers(proxy, proxied, client, alice):
    assert award(proxied, alice, key="order 1") == award(proxied, alice, key="order 1")
    assert proxy.keys == ["order 1", "order 1"]
    assert posted(client, alice) == [100]


def test_tells_the_key_of_what_may_have_been_posted(proxy, secret, client, alice):
    proxy.next = [LOSE]
    with (
        Loyalty(base_url=proxy.url, secret=secret, max_retries=0) as once,
        pytest.raises(loyalty_client.ConnectionFailedError) as failed,
    ):
        award(once, alice)
    assert not isinstance(failed.value, loyalty_client.TimedOutError)
    assert failed.value.idempotency_key == proxy.keys[0]
    assert failed.value.status is None
    assert award(client, alice, key=failed.value.idempotency_key).balance_after == 100
    assert posted(client, alice) == [100]


def test_erases_once_where_the_answer_is_lost(proxy, proxied, alice):
    proxy.next = [LOSE]
    proxied.customers.erase(alice.id)
    assert len(proxy.seen) == 2
    with pytest.raises(loyalty_client.InvalidRequestError, match="customer"):
        proxied.customers.retrieve(alice.id)


def test_says_that_the_answer_did_not_come_in_time(proxy, secret, alice):
    proxy.next = [HANG]
    with (
        Loyalty(base_url=proxy.url, secret=secret, timeout=0.2, max_retries=0) as impatient,
        pytest.raises(loyalty_client.TimedOutError) as failed,
    ):
        impatient.customers.retrieve(alice.id)
    assert failed.value.idempotency_key is None


def test_gives_up_after_the_last_try(proxy, secret):
    proxy.next = [LOSE] * 3
    with (
        Loyalty(base_url=proxy.url, secret=secret, max_retries=2) as client,
        pytest.raises(loyalty_client.ConnectionFailedError),
    ):
        client.tiers.list()
    assert len(proxy.seen) == 3


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_tries_again_after(status, proxy, proxied, client, alice):
    proxy.next = [Answer(status, body=b"<h1>One moment</h1>")]
    award(proxied, alice)
    assert len(proxy.seen) == 2
    assert len(set(proxy.keys)) == 1
    assert posted(client, alice) == [100]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, loyalty_client.ApiError),
        (400, loyalty_client.InvalidRequestError),
        (401, loyalty_client.AuthenticationError),
        (403, loyalty_client.PermissionDeniedError),
        (404, loyalty_client.InvalidRequestError),
        (408, loyalty_client.InvalidRequestError),
        (409, loyalty_client.InvalidRequestError),
        (422, loyalty_client.InvalidRequestError),
    ],
)
def test_does_not_try_again_after(status, kind, proxy, proxied, alice):
    proxy.next = [Answer(status, {"Location": proxy.url})]
    with pytest.raises(kind) as failed:
        award(proxied, alice)
    assert failed.value.status == status
    assert [failed.value.idempotency_key] == proxy.keys
    assert posted(proxied, alice) == []


def test_waits_as_long_as_the_service_says(proxy, proxied, alice):
    proxy.next = [Answer(429, {"Retry-After": "1"})]
    award(proxied, alice)
    first, second = (request.at for request in proxy.seen)
    assert second - first >= 1


def test_fails_at_once_where_that_is_too_long(proxy, proxied, client, alice):
    proxy.next = [Answer(429, {"Retry-After": "61"})]
    with pytest.raises(loyalty_client.RateLimitError) as failed:
        award(proxied, alice)
    assert failed.value.retry_after == 61
    assert len(proxy.seen) == 1
    assert posted(client, alice) == []


def test_reads_a_date(proxy, proxied):
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=100)
    proxy.next = [Answer(503, {"Retry-After": email.utils.format_datetime(later, usegmt=True)})]
    with pytest.raises(loyalty_client.ApiError) as failed:
        proxied.tiers.list()
    assert 90 < failed.value.retry_after <= 100


def test_does_not_mind_a_date_that_is_none(proxy, proxied):
    proxy.next = [Answer(503, {"Retry-After": "soon"})]
    proxied.tiers.list()
    assert len(proxy.seen) == 2


def test_waits_longer_from_try_to_try(proxy, proxied):
    proxy.next = [Answer(503)] * 3
    proxied.tiers.list()
    waits = [after.at - before.at for before, after in itertools.pairwise(proxy.seen)]
    assert all(wait >= least for wait, least in zip(waits, (0.25, 0.5, 1), strict=True))


def test_waits_a_random_moment_more_so_that_those_who_failed_together_do_not_meet_again(proxy, proxied, monkeypatch):
    monkeypatch.setattr(random, "uniform", max)
    proxy.next = [Answer(503)]
    proxied.tiers.list()
    first, second = (request.at for request in proxy.seen)
    assert second - first >= 0.25 + 0.25


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(200, body=b"<h1>Welcome to the network</h1>"), loyalty_client.ApiError),
        (Answer(200, {"Content-Encoding": "gzip"}, b"no gzip"), loyalty_client.ApiError),
        (Answer(404, body=b"null"), loyalty_client.InvalidRequestError),
        (Answer(404, body=b'{"error": "No."}'), loyalty_client.InvalidRequestError),
    ],
)
def test_says_so_where_something_else_answers(answer, kind, proxy, proxied):
    proxy.next = [answer]
    with pytest.raises(kind):
        proxied.tiers.list()
    assert len(proxy.seen) == 1


def test_tells_what_else_an_error_says(proxy, proxied):
    error = {"type": "rate_limit_error", "code": "rate_limited", "message": "No.", "param": None, "retry_after": 99}
    proxy.next = [Answer(429, {"Retry-After": "99", "X-Request-Id": "abc"}, json.dumps({"error": error}).encode())]
    with pytest.raises(loyalty_client.RateLimitError, match=r"No\.") as failed:
        proxied.tiers.list()
    assert (failed.value.code, failed.value.param, failed.value.request_id) == ("rate_limited", None, "abc")
    assert failed.value.details == {"retry_after": 99}


def test_tries_again_where_nobody_listens(secret):
    started = time.monotonic()
    with (
        Loyalty(base_url="http://127.0.0.1:1", secret=secret, max_retries=1) as nowhere,
        pytest.raises(loyalty_client.ConnectionFailedError),
    ):
        nowhere.tiers.list()
    assert time.monotonic() - started >= 0.25


def test_leaves_a_callers_connections_to_the_caller(service, secret):
    with httpx.Client(follow_redirects=True) as http:
        with Loyalty(base_url=service, secret=secret, http=http) as client:
            client.tiers.list()
        assert not http.is_closed
