import io
import json
import logging
import threading
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import override_settings
from rest_framework.test import APIClient

from loyalty import api_keys, middleware
from points import statements
from tests.api.management.till import Till, data, error, nothing_moves


def test_answers_in_its_shape_on_a_path_that_leads_nowhere(till: Till) -> None:
    for path in ("/api/nothing", "/api/points", "/api/points/award/", "/nothing", "/api/points/balance/a/b"):
        error(till.client.get(path), 404, "NOT_FOUND")


def test_leads_the_bare_address_to_the_explorer(till: Till) -> None:
    answer = till.client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/api/docs")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/api/points/award"),
        ("delete", "/api/points/award"),
        ("options", "/api/points/award"),
        ("post", "/api/points/transactions"),
        ("delete", "/api/loyalty-cards"),
        ("post", "/api/health"),
    ],
)
def test_names_the_methods_that_a_path_takes(till: Till, method: str, path: str) -> None:
    answer = getattr(till.client, method)(path)
    assert error(answer, 405, "METHOD_NOT_ALLOWED") == {}
    assert answer.headers["Allow"]


@pytest.mark.parametrize("declared", ["text/plain", "application/x-www-form-urlencoded", "json", "application/jsonp"])
def test_takes_json_only(till: Till, declared: str) -> None:
    with nothing_moves(till.program):
        answer = till.client.post("/api/points/award", json.dumps(till.body(1)), content_type=declared)
        assert error(answer, 415, "UNSUPPORTED_MEDIA_TYPE") == {}


@pytest.mark.parametrize("declared", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_takes_json_however_it_is_declared(till: Till, declared: str) -> None:
    data(till.client.post("/api/points/award", json.dumps(till.body(1)), content_type=declared), 201)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"points": 1,}',
        b"points=1",
        b'{"points": 01}',
        b"\xff\xfe",
        b'{"reason": "\x00"}',
        b'{"reason": "\\u0000"}',
        b'{"reason": "\\ud800"}',
        b'{"re\\u0000ason": 1}',
        b'{"metadata": {"a": ["\\u0000"]}}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[]",
        b'"text"',
        b"7",
        b"null",
        b"\xef\xbb\xbf{}",
    ],
)
def test_refuses_what_is_no_json_object(till: Till, body: bytes) -> None:
    with nothing_moves(till.program):
        answer = till.client.post("/api/points/award", body, content_type="application/json")
        facts = error(answer, 400, "INVALID_PARAMETERS")
    assert facts["field"] == "body"
    assert len(answer.content) < 1000


def test_keeps_an_escaped_backslash_before_u0000(till: Till) -> None:
    assert data(till.award(1, reason="C:\\u0000"), 201)["reason"] == "C:\\u0000"


def in_chunks(body: bytes) -> dict[str, Any]:
    """What a server hands on when a body comes without its length."""
    return {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": io.BytesIO(body)}


@pytest.mark.parametrize(("path", "limit"), [("award", 2**20), ("bulk", 2**21)])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_takes_a_body_up_to_its_limit(till: Till, path: str, limit: int, is_chunked: bool) -> None:
    for size in (limit, limit + 1):
        body = b'{"a": "' + b"x" * (size - 9) + b'"}'
        assert len(body) == size
        more = in_chunks(body) if is_chunked else {}
        answer = till.client.post(f"/api/points/{path}", body, content_type="application/json", **more)
        if size == limit:
            error(answer, 400, "INVALID_PARAMETERS")
        else:
            assert error(answer, 413, "BODY_TOO_LARGE") == {"maximum_size": limit}


def test_refuses_a_body_that_is_cut_short(till: Till) -> None:
    body = json.dumps(till.body(5)).encode()
    cut = {"CONTENT_LENGTH": str(len(body) + 1), "wsgi.input": io.BytesIO(body)}
    with nothing_moves(till.program):
        answer = till.client.post("/api/points/award", body, content_type="application/json", **cut)
        assert error(answer, 400, "INVALID_PARAMETERS")["errors"] == {"body": ["Cut short."]}


@pytest.mark.parametrize("coding", ["chunked", "Chunked"])
def test_reads_a_body_that_comes_in_chunks(till: Till, coding: str) -> None:
    body = json.dumps(till.body(5)).encode()
    how = in_chunks(body) | {"HTTP_TRANSFER_ENCODING": coding}
    answer = till.client.post("/api/points/award", body, content_type="application/json", **how)
    assert data(answer, 201)["new_balance"] == 5


def test_names_each_answer_and_keeps_a_well_formed_name(till: Till) -> None:
    first = till.client.get("/api/health").headers["X-Request-Id"]
    assert first != till.client.get("/api/health").headers["X-Request-Id"]
    for given, is_kept in (("abc-123", True), ("x" * 65, False), ("a b", False), ("", False)):
        answer = till.client.get("/api/nothing", HTTP_X_REQUEST_ID=given)
        assert (answer.headers["X-Request-Id"] == given) is is_kept


def test_tells_the_length_of_each_answer(till: Till) -> None:
    answer = till.client.get("/api/health")
    assert answer.headers["Content-Length"] == str(len(answer.content))


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that nobody foresaw."""

    def fail(**_: Any) -> None:
        raise ZeroDivisionError("SELECT secret FROM loyalty_apikey")

    monkeypatch.setattr(statements, "balance", fail)


def test_tells_nothing_of_its_insides_when_it_fails(till: Till, broken: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(middleware.RequestIdFilter())
    answer = till.get(f"points/balance/{till.card_id}")
    facts = error(answer, 500, "INTERNAL_ERROR")
    assert facts == {"request_id": answer.headers["X-Request-Id"]}
    assert b"SELECT" not in answer.content
    assert b"Traceback" not in answer.content
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.request_id == facts["request_id"]
    assert record.exc_info


@pytest.mark.parametrize("fault", [OperationalError("SSL SYSCALL error"), OperationalError("timeout")])
def test_says_when_to_come_again_while_the_database_is_away(
    till: Till, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def fail(**_: Any) -> None:
        raise fault

    monkeypatch.setattr(statements, "balance", fail)
    answer = till.get(f"points/balance/{till.card_id}")
    assert error(answer, 503, "UNAVAILABLE") == {"retry_after": 1}
    assert answer.headers["Retry-After"] == "1"
    assert b"SSL" not in answer.content


def test_finds_a_connection_that_the_server_closed(till: Till) -> None:
    till.award(5)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [backend] = cursor.fetchone()
    _terminate(backend)
    assert till.balance == 5


def test_answers_503_where_the_database_cannot_be_reached(till: Till) -> None:
    client = APIClient(raise_request_exception=False)
    _, secret = api_keys.generate(program=till.program)
    known = connection.settings_dict["HOST"]
    connection.close()
    connection.settings_dict["HOST"] = "/nowhere"
    try:
        answer = client.get(f"/api/points/balance/{till.card_id}", HTTP_APIKEY=secret)
        health = client.get("/api/health")
    finally:
        connection.close()
        connection.settings_dict["HOST"] = known
    for one in (answer, health):
        assert error(one, 503, "UNAVAILABLE") == {"retry_after": 1}
        assert one.headers["Retry-After"] == "1"
    assert client.get("/api/health").status_code == 200


@override_settings(ALLOWED_HOSTS=["shop.example"])
def test_answers_in_its_shape_to_a_host_that_it_does_not_know(till: Till) -> None:
    error(till.get(f"loyalty-cards/{till.card_id}"), 400, "INVALID_PARAMETERS")


def _terminate(backend: int) -> None:
    """This will end a connection from another one of the same role."""

    def end() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s)", [backend])
        finally:
            connection.close()

    thread = threading.Thread(target=end)
    thread.start()
    thread.join()
