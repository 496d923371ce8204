"""A member's token: how it is issued, what is none, and when it ends."""

import base64
import datetime
import json
from typing import Any

import jwt
import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cards.models import Customer
from loyalty import api_keys, ids, member_tokens
from loyalty.models import ApiKey, IdempotencyRecord, Scope
from tests.api.management.conftest import make_program
from tests.api.management.till import nothing_moves
from tests.api.shop.members import Shop, data, get, make_shop, refused, serial

# A whole second: tokens know no parts of one.
NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


@pytest.fixture
def shop() -> Shop:
    return make_shop()


def forged(shop: Shop, **changes: Any) -> str:
    """A token as this service signs it, that says something else; None: that says nothing of it."""
    claims = member_tokens.claims(key=shop.key, customer_id=shop.alice.customer_id, at=timezone.now()) | changes
    return member_tokens.sign({name: claim for name, claim in claims.items() if claim is not None})


def in_base64(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


# Issuing


@time_machine.travel(NOON, tick=False)
def test_is_given_for_fifteen_minutes(shop: Shop) -> None:
    answer = shop.ask({"user_id": serial(shop.alice.customer)})
    told = data(answer)
    assert set(told) == {"token", "token_type", "expires_in", "expires_at", "user_id"}
    assert (told["token_type"], told["user_id"]) == ("Bearer", shop.alice.customer.serial)
    assert (told["expires_in"], told["expires_at"]) == (15 * 60, "2026-03-02T12:15:00Z")
    assert answer.headers["Cache-Control"] == "no-store"


@time_machine.travel(NOON, tick=False)
def test_says_for_whom_by_whom_and_until_when(shop: Shop) -> None:
    token = shop.token()
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    claims = jwt.decode(token, options={"verify_signature": False})
    token_id = claims.pop("jti")
    assert claims == {
        "iss": "loyalty",
        "aud": "loyalty:shop:member",
        "sub": ids.public("cus", shop.alice.customer_id),
        "programme": str(shop.program.pk),
        "key": shop.key.key_id,
        "iat": int(NOON.timestamp()),
        "exp": int(NOON.timestamp()) + 15 * 60,
    }
    assert token_id not in (jwt.decode(shop.token(), options={"verify_signature": False})["jti"], "")


def test_is_not_signed_with_the_secret_key_itself(shop: Shop) -> None:
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(shop.token(), settings.SECRET_KEY, algorithms=["HS256"], audience="loyalty:shop:member")


def test_is_given_by_email_in_whatever_case(shop: Shop) -> None:
    email = str(shop.bob.customer.email)
    assert data(shop.ask({"user_email": email.upper()}))["user_id"] == serial(shop.bob.customer)


@pytest.mark.parametrize(
    ("locale", "message", "missing"),
    [
        ("en", "The token is ready.", "Send user_id or user_email."),
        ("lt", "Prieigos raktas paruoštas.", "Siųskite user_id arba user_email."),
    ],
)
def test_speaks_the_language_of_the_path(shop: Shop, locale: str, message: str, missing: str) -> None:
    answer = shop.ask({"user_id": serial(shop.alice.customer)}, locale=locale)
    assert (answer.json()["message"], answer.headers["Content-Language"]) == (message, locale)
    assert refused(shop.ask({}, locale=locale), 422, "VALIDATION_ERROR")["errors"] == {"user_id": [missing]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "user_id"),
        ({"user_id": None, "user_email": None}, "user_id"),
        ({"user_id": 0}, "user_id"),
        ({"user_id": "x"}, "user_id"),
        ({"user_id": True}, "user_id"),
        ({"user_email": "alice"}, "user_email"),
        ({"user_id": 1, "user_email": "alice@example.com"}, "user_email"),
        ([], "body"),
    ],
)
def test_is_refused_where_nobody_is_named(shop: Shop, body: Any, field: str) -> None:
    assert list(refused(shop.ask(body), 422, "VALIDATION_ERROR")["errors"]) == [field]


def test_is_refused_for_a_customer_who_is_not_there(shop: Shop) -> None:
    stranger = make_shop()
    for body in (
        {"user_id": 10**14},
        {"user_email": "nobody@example.com"},
        {"user_id": serial(stranger.alice.customer)},
        {"user_email": stranger.alice.customer.email},
    ):
        refused(shop.ask(body), 404, "NOT_FOUND")


def test_takes_the_scope_to_read_cards(shop: Shop) -> None:
    body = {"user_id": serial(shop.alice.customer)}
    others = [scope for scope in Scope.values if scope != Scope.LOYALTY_READ]
    _, secret = api_keys.generate(program=shop.program, scopes=others)
    assert refused(shop.ask(body, secret=secret), 403, "FORBIDDEN")["required_permissions"] == ["loyalty:read"]
    _, secret = api_keys.generate(program=shop.program, scopes=[Scope.LOYALTY_READ])
    data(shop.ask(body, secret=secret))


def test_is_not_given_for_a_token(shop: Shop) -> None:
    refused(shop.ask({"user_id": serial(shop.alice.customer)}, secret=shop.token()), 401, "UNAUTHORIZED")


@time_machine.travel(NOON, tick=False)
def test_ends_with_its_key_at_the_latest(shop: Shop) -> None:
    _, secret = api_keys.generate(program=shop.program, expires_at=NOON + 90 * SECOND)
    told = data(shop.ask({"user_id": serial(shop.alice.customer)}, secret=secret))
    assert (told["expires_in"], told["expires_at"]) == (90, "2026-03-02T12:01:30Z")


@time_machine.travel(NOON, tick=False)
def test_lasts_as_long_as_the_setting_says(shop: Shop, settings: Any) -> None:
    settings.MEMBER_TOKEN_SECONDS = 60
    assert data(shop.ask({"user_id": serial(shop.alice.customer)}))["expires_in"] == 60


# Issuing once


def test_is_the_same_one_under_the_same_idempotency_key(shop: Shop) -> None:
    body = {"user_email": shop.alice.customer.email}
    first = shop.ask(body, HTTP_IDEMPOTENCY_KEY="k")
    Customer.objects.filter(pk=shop.alice.customer_id).update(email="moved@example.com")
    second = shop.ask(body, HTTP_IDEMPOTENCY_KEY="k")
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert data(first) == data(second)


def test_is_not_anothers_under_the_same_idempotency_key(shop: Shop) -> None:
    body = {"user_id": serial(shop.alice.customer)}
    data(shop.ask(body, HTTP_IDEMPOTENCY_KEY="k"))
    refused(shop.ask({"user_id": serial(shop.bob.customer)}, HTTP_IDEMPOTENCY_KEY="k"), 422, "IDEMPOTENCY_KEY_REUSED")
    # Another key of the shop: its token would live on when this key is revoked.
    _, secret = api_keys.generate(program=shop.program)
    refused(shop.ask(body, secret=secret, HTTP_IDEMPOTENCY_KEY="k"), 422, "IDEMPOTENCY_KEY_REUSED")
    # Another programme's keys are its own.
    stranger = make_shop()
    token = data(stranger.ask({"user_id": serial(stranger.alice.customer)}, HTTP_IDEMPOTENCY_KEY="k"))["token"]
    assert jwt.decode(token, options={"verify_signature": False})["programme"] == str(stranger.program.pk)


def test_is_not_kept(shop: Shop) -> None:
    body = {"user_id": serial(shop.alice.customer)}
    token = data(shop.ask(body, HTTP_IDEMPOTENCY_KEY="k"))["token"]
    kept = IdempotencyRecord.objects.get(owner_id=shop.program.pk, key="k")
    signature = token.rpartition(".")[2]
    assert signature not in str(kept.body)
    assert token[:20] not in str(kept.body)


def test_writes_nothing(shop: Shop) -> None:
    body = {"user_id": serial(shop.alice.customer)}
    with nothing_moves(shop.program), CaptureQueriesContext(connection) as queries:
        data(shop.ask(body))
    asked = [query["sql"] for query in queries if not query["sql"].startswith("PREPARE")]
    assert [sql.split()[0] for sql in asked if not sql.startswith(("BEGIN", "COMMIT"))] == ["EXECUTE", "SELECT"]


# Tokens that are none


def altered(token: str, part: int) -> str:
    """The token with one letter of a part changed, one that counts: the last has bits that mean nothing."""
    parts = token.split(".")
    flipped = "A" if parts[part][-2] != "A" else "B"
    parts[part] = parts[part][:-2] + flipped + parts[part][-1]
    return ".".join(parts)


def turned_away(shop: Shop, token: str) -> None:
    for locale, message in (
        ("en", "Missing or wrong API credentials."),
        ("lt", "API prisijungimo duomenų nėra arba jie neteisingi."),
    ):
        answer = get(f"/{locale}/shop/loyalty-cards", token)
        assert refused(answer, 401, "UNAUTHORIZED")["message"] == message
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_is_refused_when_tampered_with(shop: Shop) -> None:
    token = shop.token()
    for part in range(3):
        turned_away(shop, altered(token, part))
    header, claims, signature = token.split(".")
    told = jwt.decode(token, options={"verify_signature": False})
    for claim, value in (
        ("sub", ids.public("cus", shop.bob.customer_id)),
        ("exp", told["exp"] + 1),
        ("programme", str(make_shop().program.pk)),
    ):
        turned_away(shop, f"{header}.{in_base64(told | {claim: value})}.{signature}")
    turned_away(shop, f"{header}.{claims}.")
    turned_away(shop, f"{header}.{claims}")
    turned_away(shop, forged(shop, jti="x" * member_tokens.LONGEST))
    for nonsense in ("eyJ", "eyJ.eyJ.eyJ", "eyJ..", "eyJä.eyJ.x"):
        turned_away(shop, nonsense)


def test_is_refused_with_another_algorithm(shop: Shop) -> None:
    token = shop.token()
    _, claims, signature = token.split(".")
    told = jwt.decode(token, options={"verify_signature": False})
    for alg in ("none", "None", "NONE", ""):
        header = in_base64({"alg": alg, "typ": "JWT"})
        turned_away(shop, f"{header}.{claims}.")
        turned_away(shop, f"{header}.{claims}.{signature}")
    turned_away(shop, jwt.encode(told, None, algorithm="none"))
    turned_away(shop, jwt.encode(told, member_tokens._signing_key() * 2, algorithm="HS512"))
    turned_away(shop, jwt.encode(told, settings.SECRET_KEY, algorithm="HS256"))


def test_is_refused_when_meant_for_others(shop: Shop) -> None:
    data(get("/en/shop/loyalty-cards", forged(shop)))
    for audience in ("loyalty:shop", "", ["loyalty:shop:member"], ["loyalty:shop:member", "other"]):
        turned_away(shop, forged(shop, aud=audience))
    turned_away(shop, forged(shop, iss="elsewhere"))


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "programme", "key", "iat", "exp", "jti"])
def test_is_refused_without_a_claim(shop: Shop, claim: str) -> None:
    turned_away(shop, forged(shop, **{claim: None}))


def test_is_refused_with_claims_that_fit_nothing(shop: Shop) -> None:
    stranger = make_shop()
    for claims in (
        {"programme": str(stranger.program.pk)},
        {"key": stranger.key.key_id},
        {"key": "key_unknown"},
        {"key": shop.secret},
        {"sub": "cus_1"},
        {"sub": str(shop.alice.customer_id)},
        {"sub": ids.public("card", shop.alice.customer_id)},
    ):
        turned_away(shop, forged(shop, **claims))


def test_is_good_for_nothing_in_the_programme_of_a_key_for_a_customer_of_another(shop: Shop) -> None:
    stranger = make_shop()
    token = forged(shop, sub=ids.public("cus", stranger.alice.customer_id))
    refused(get("/en/shop/loyalty-cards", token), 401, "UNAUTHORIZED")
    refused(get(f"/en/shop/loyalty-cards/{serial(stranger.alice)}", token), 404, "CARD_NOT_FOUND")


# Tokens that have ended


def test_ends_to_the_second(shop: Shop) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        token = shop.token()
        clock.move_to(NOON + 15 * 60 * SECOND - SECOND)
        data(get("/en/shop/loyalty-cards", token))
        clock.move_to(NOON + 15 * 60 * SECOND)
        turned_away(shop, token)
        # Nor is one taken from a time to come.
        clock.move_to(NOON - SECOND)
        turned_away(shop, token)


def test_ends_when_its_key_is_revoked(shop: Shop) -> None:
    other, _ = api_keys.generate(program=shop.program)
    token = shop.token()
    ApiKey.objects.filter(pk=other.pk).update(revoked_at=timezone.now())
    data(get("/en/shop/loyalty-cards", token))
    ApiKey.objects.filter(pk=shop.key.pk).update(revoked_at=timezone.now())
    turned_away(shop, token)


def test_ends_when_its_key_expires(shop: Shop) -> None:
    token = shop.token()
    ApiKey.objects.filter(pk=shop.key.pk).update(expires_at=timezone.now() + 60 * SECOND)
    data(get("/en/shop/loyalty-cards", token))
    ApiKey.objects.filter(pk=shop.key.pk).update(expires_at=timezone.now())
    turned_away(shop, token)


def test_ends_when_its_key_goes_to_another_programme(shop: Shop) -> None:
    token = shop.token()
    ApiKey.objects.filter(pk=shop.key.pk).update(program=make_program())
    turned_away(shop, token)


def test_ends_when_the_secret_key_changes(shop: Shop, settings: Any) -> None:
    token = shop.token()
    settings.SECRET_KEY = "another" * 10
    turned_away(shop, token)
