import datetime
import uuid

import pytest
import time_machine

from loyalty.models import Program
from points.models import PointAccount
from tests.api.v3.system import System, done, refused
from tests.factories import make_definition

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def test_lists_definitions_without_an_envelope(system: System) -> None:
    assert done(system.get("point-accounts/definitions")) == [
        {"id": 1, "name": "Points", "description": "", "links": []},
        {"id": 2, "name": "Bonus", "description": "", "links": []},
    ]
    assert [one["id"] for one in done(system.get("point-accounts/definitions", offset=1, count=1))] == [2]
    assert done(system.get("point-accounts/definitions", offset=2)) == []


def test_tells_a_definition_by_its_number(system: System) -> None:
    assert done(system.get("point-accounts/definitions/2"))["name"] == "Bonus"


@pytest.mark.parametrize("number", ["3", "0", "-1", "9" * 12, "9" * 40, "one", "1.0", "%00"])
def test_knows_no_other_definition(system: System, number: str) -> None:
    refused(system.get(f"point-accounts/definitions/{number}"), 404, "PointDefinitionNotFound")


def test_makes_an_account_once(system: System) -> None:
    first = system.open()
    assert done(first, 201) == {
        "id": system.account_id,
        "contactId": system.contact_id,
        "definitionId": 2,
        "balance": 0,
        "balanceExpires": None,
        "pendingPoints": 0,
        "heldPoints": 0,
        "links": [
            {"id": 2, "href": "/api/v3/point-accounts/definitions/2", "method": "GET", "rel": "definition"},
            {
                "href": f"/api/v3/point-accounts/transactions?accountId={system.account_id}",
                "method": "GET",
                "rel": "transactions",
            },
        ],
    }
    assert done(system.open(), 200) == first.json()


def test_answers_the_first_answer_under_a_key(system: System) -> None:
    body = {"contactId": system.contact_id, "definitionId": 2}
    first = system.post("point-accounts", body, key="open-1")
    system.add(5)
    again = system.post("point-accounts", body, key="open-1")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = {"contactId": system.contact_id, "definitionId": 1}
    refused(system.post("point-accounts", other, key="open-1"), 422, "IdempotencyKeyReused")


def test_makes_no_account_where_they_are_switched_off(program: Program, system: System) -> None:
    Program.objects.filter(pk=program.pk).update(has_point_accounts=False)
    refused(system.open(), 400, "PointSystemNotActive")
    assert not system.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"contactId": "alice"}, "contactId"),
        ({"contactId": 7}, "contactId"),
        ({"contactId": None}, "contactId"),
        ({"definitionId": "one"}, "definitionId"),
        ({"definitionId": 0}, "definitionId"),
        ({"definitionId": True}, "definitionId"),
        ({"definitionId": 1.5}, "definitionId"),
    ],
)
def test_names_the_field_that_is_wrong(system: System, body: dict, field: str) -> None:
    facts = refused(
        system.post("point-accounts", {"contactId": system.contact_id, "definitionId": 1} | body),
        400,
        "ValidationFailed",
    )
    assert set(facts["fields"]) == {field}


def test_knows_neither_contacts_nor_accounts_of_others(system: System, stranger: System) -> None:
    done(stranger.open(), 201)
    body = {"contactId": stranger.contact_id, "definitionId": 1}
    refused(system.post("point-accounts", body), 404, "ContactNotFound")
    refused(system.get("point-accounts", contactId=stranger.contact_id), 404, "ContactNotFound")
    refused(system.get(f"point-accounts/{stranger.account_id}"), 404, "PointAccountNotFound")
    refused(system.get(f"point-accounts/{uuid.uuid4()}"), 404, "PointAccountNotFound")
    refused(system.get("point-accounts/none"), 404, "PointAccountNotFound")
    body = {"contactId": system.contact_id, "definitionId": 2**31}
    refused(system.post("point-accounts", body), 404, "PointDefinitionNotFound")


def test_lists_the_accounts_that_a_contact_has(system: System, usual: System) -> None:
    system.open()
    system.add(719.7)
    usual.open()
    with time_machine.travel(NOON, tick=False):
        usual.add(100)
    usual.add(30, validFrom="2090-01-01")
    body = done(system.get("point-accounts", contactId=system.contact_id))
    assert {name: body[name] for name in ("count", "offset", "totalCount", "links")} == {
        "count": 2,
        "offset": 0,
        "totalCount": 2,
        "links": [],
    }
    told = [(one["definitionId"], one["balance"], one["balanceExpires"], one["pendingPoints"]) for one in body["items"]]
    assert told == [(1, 100, "2027-03-02T12:00:00Z", 30), (2, 719.7, None, 0)]
    second = done(system.get("point-accounts", contactId=system.contact_id, offset=1, count=1))
    assert [one["definitionId"] for one in second["items"]] == [2]
    assert (second["count"], second["offset"], second["totalCount"]) == (1, 1, 2)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "contactId"),
        ({"contactId": "x"}, "contactId"),
        ({"count": 0}, "count"),
        ({"count": "many"}, "count"),
        ({"offset": -1}, "offset"),
        ({"offset": "9" * 30}, "offset"),
    ],
)
def test_names_the_parameter_that_is_wrong(system: System, query: dict, field: str) -> None:
    known = {} if field == "contactId" else {"contactId": system.contact_id}
    assert set(refused(system.get("point-accounts", **known | query), 400, "ValidationFailed")["fields"]) == {field}


def test_lowers_a_count_above_1000(system: System) -> None:
    system.open()
    assert done(system.get("point-accounts", contactId=system.contact_id, count=10**9))["totalCount"] == 1


def test_tells_what_is_due_by_the_clock(usual: System) -> None:
    usual.open()
    with time_machine.travel(NOON, tick=False) as clock:
        usual.add(100, validTo=(NOON + 30 * DAY).isoformat())
        usual.add(50, validFrom=(NOON + 7 * DAY).isoformat(), validTo=(NOON + 20 * DAY).isoformat())
        before = usual.told()
        assert (before["balance"], before["pendingPoints"]) == (100, 50)
        assert before["balanceExpires"] == "2026-04-01T12:00:00Z"
        clock.move_to(NOON + 7 * DAY)
        after = usual.told()
        assert (after["balance"], after["pendingPoints"]) == (100 + 50, 0)
        assert after["balanceExpires"] == "2026-03-22T12:00:00Z"
        clock.move_to(NOON + 30 * DAY)
        assert usual.told()["balance"] == 0
        assert usual.told()["balanceExpires"] is None


def test_tells_when_points_end_by_inactivity(program: Program, usual: System) -> None:
    kind = make_definition(program, expiry_policy="inactivity", expiry_count=6)
    idle = System(program, usual.contact, kind)
    idle.open()
    with time_machine.travel(NOON, tick=False):
        idle.add(10)
    with time_machine.travel(NOON + 10 * DAY, tick=False):
        idle.deduct(1)
        assert idle.told()["balanceExpires"] == "2026-09-12T12:00:00Z"


def test_tells_a_balance_of_the_past_by_either_date(usual: System) -> None:
    usual.open()
    with time_machine.travel(NOON, tick=False) as clock:
        usual.add(100, transactionDate=(NOON - 30 * DAY).isoformat())
        clock.move_to(NOON + DAY)
        usual.deduct(30)
        clock.move_to(NOON + 2 * DAY)

        def as_of(moment: datetime.datetime, **basis: str) -> int:
            answer = usual.get(f"point-accounts/{usual.account_id}", asOf=moment.isoformat(), **basis)
            return done(answer)["balance"]

        assert as_of(NOON - DAY) == as_of(NOON - DAY, basis="created") == 0
        assert as_of(NOON - DAY, basis="transaction") == 100
        assert as_of(NOON) == 100
        assert as_of(NOON + DAY) == as_of(NOON + DAY, basis="Transaction") == 100 - 30
        future = usual.get(f"point-accounts/{usual.account_id}", asOf=(NOON + 3 * DAY).isoformat())
        assert set(refused(future, 400, "ValidationFailed")["fields"]) == {"asOf"}


def test_needs_the_scope(program: Program, system: System) -> None:
    reader = System(program, system.contact, system.definition, scopes=["points:read"])
    assert refused(reader.open(), 403, "Forbidden") == {"requiredPermissions": ["points:manage"]}
    writer = System(program, system.contact, system.definition, scopes=["points:manage"])
    refused(writer.get("point-accounts", contactId=system.contact_id), 403, "Forbidden")
    writer.client.credentials()
    refused(writer.get("point-accounts/definitions"), 401, "Unauthorized")
    assert not PointAccount.objects.filter(program=program).exists()


def test_answers_every_fault_in_its_own_shape(system: System) -> None:
    refused(system.get("nothing"), 404, "NotFound")
    refused(system.client.get("/api/v3"), 404, "NotFound")
    refused(system.client.delete("/api/v3/point-accounts"), 405, "MethodNotAllowed")
    refused(
        system.client.post("/api/v3/point-accounts", b"{", content_type="application/json"), 400, "ValidationFailed"
    )
    refused(
        system.client.post("/api/v3/point-accounts", b"a=1", content_type="text/plain"), 415, "UnsupportedMediaType"
    )
    deep = b"[" * 900 + b"]" * 900
    refused(
        system.client.post("/api/v3/point-accounts", deep, content_type="application/json"), 400, "ValidationFailed"
    )
    deep = b'{"a":' * 900 + b"1" + b"}" * 900
    refused(
        system.client.post("/api/v3/point-accounts", deep, content_type="application/json"), 400, "ValidationFailed"
    )
    large = b'"' + b"x" * 1024 * 1024 + b'"'
    refused(system.client.post("/api/v3/point-accounts", large, content_type="application/json"), 413, "BodyTooLarge")
