"""What must never be false of limits and requests, asked round the code."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import Error, IntegrityError, ProgrammingError

from loyalty import ids
from loyalty.models import Program
from staff import adjusting, audit
from staff.audit_models import AuditEntry
from staff.models import AdjustmentLimit, AdjustmentRequest
from tests.points.round_the_ledger import has_a_role_of_its_own, run
from tests.points.till import NOON, Till

DECIDE = "UPDATE staff_adjustmentrequest SET state = %(state)s, decided_by_id = %(by)s, decided_at = %(at)s"


def refused(role: str, statement: str, law: str, asked: AdjustmentRequest, **facts: Any) -> None:
    """The database refuses it for that reason, and nothing moved."""
    before = AdjustmentRequest.objects.filter(program=asked.program).order_by("pk").values()
    rows = list(before)
    with pytest.raises((IntegrityError, ProgrammingError), match=law):
        run(role, statement, id=asked.pk, **facts)
    assert list(before.all()) == rows


def decide(asked: AdjustmentRequest, law: str, *, more: str = "", **facts: Any) -> None:
    statement = f"{DECIDE}{more} WHERE id = %(id)s"
    refused("default", statement, law, asked, **{"state": "refused", "by": None, "at": NOON} | facts)


def test_the_approver_is_never_the_asker(asked: AdjustmentRequest, till: Till) -> None:
    entry = till.adjust(101)
    law = "adjustment_request_is_decided_by_another"
    decide(asked, law, more=", decision = 'No'", by=asked.asked_by_id)
    named = ", account_id = %(account)s, entry_id = %(entry)s"
    facts = {"account": till.account.id, "entry": entry.pk}
    decide(asked, law, more=named, state="approved", by=asked.asked_by_id, **facts)


def test_only_the_asker_withdraws(asked: AdjustmentRequest, bosses: list[User]) -> None:
    decide(asked, "adjustment_request_is_withdrawn_by_its_asker", state="cancelled", by=bosses[0].pk)


@pytest.mark.parametrize("at", ["2026-03-01T00:00Z", "2026-03-09T12:00Z", None])
def test_a_decision_has_its_time_before_the_request_expires(
    asked: AdjustmentRequest, bosses: list[User], at: str | None
) -> None:
    law = "adjustment_request_is_decided_in_time"
    decide(asked, law, more=", decision = 'No'", by=bosses[0].pk, at=at)


def test_a_decision_has_somebody_who_made_it(asked: AdjustmentRequest, bosses: list[User]) -> None:
    decide(asked, "adjustment_request_is_decided_in_time", more=", decision = 'No'")
    decide(asked, "adjustment_request_is_decided_in_time", state="requested", by=bosses[0].pk)


def test_an_approved_request_names_the_entry_that_it_became(
    asked: AdjustmentRequest, bosses: list[User], till: Till
) -> None:
    facts = {"state": "approved", "by": bosses[0].pk}
    named = ", account_id = %(account)s, entry_id = %(entry)s"
    decide(asked, "an approved request names the entry that it became", **facts)
    # Of other points, or of another kind.
    for entry in (till.adjust(100), till.award(101)):
        law = "an approved request names the entry that it became"
        decide(asked, law, more=named, **facts, account=till.account.id, entry=entry.pk)


def test_one_entry_is_of_one_request(asked: AdjustmentRequest, bosses: list[User]) -> None:
    other = AdjustmentRequest.objects.get(pk=asked.pk)
    other.pk = ids.new_id()
    other.save(force_insert=True)
    done = adjusting.approve(request_id=asked.pk, by=bosses[0], at=NOON)
    named = ", account_id = %(account)s, entry_id = %(entry)s"
    facts = {"account": done.account_id, "entry": done.entry_id}
    decide(other, "adjustment_request_entry_unique", more=named, state="approved", by=bosses[0].pk, **facts)


def test_a_refused_request_says_why_and_names_no_entry(
    asked: AdjustmentRequest, bosses: list[User], till: Till
) -> None:
    entry = till.adjust(101)
    decide(asked, "adjustment_request_refused_says_why", by=bosses[0].pk)
    named = ", decision = 'No', account_id = %(account)s, entry_id = %(entry)s"
    law = "adjustment_request_approved_names_its_entry"
    decide(asked, law, more=named, by=bosses[0].pk, account=till.account.id, entry=entry.pk)


@pytest.mark.parametrize("role", ["default", "owner"])
@pytest.mark.parametrize("state", ["requested", "refused", "cancelled"])
def test_a_decided_request_never_changes(
    role: str, state: str, asked: AdjustmentRequest, bosses: list[User], till: Till
) -> None:
    adjusting.approve(request_id=asked.pk, by=bosses[0], at=NOON)
    undo = "UPDATE staff_adjustmentrequest SET state = %(state)s, entry_id = NULL, account_id = NULL WHERE id = %(id)s"
    refused(role, undo, "a request is decided once", asked, state=state)
    assert till.balance == 101


def denied_or(law: str, role: str) -> str:
    """The runtime role lacks the privilege; the owner, who has it, meets the trigger."""
    return "permission denied" if role == "default" and has_a_role_of_its_own() else law


@pytest.mark.parametrize("role", ["default", "owner"])
@pytest.mark.parametrize(
    "change",
    ["points = 1000", "reason = 'Other'", "asked_by_id = %(by)s", "expires_at = 'infinity'", "erased_at = now()"],
)
def test_what_was_asked_for_never_changes(role: str, change: str, asked: AdjustmentRequest, bosses: list[User]) -> None:
    law = denied_or("what was asked for never changes", role)
    refused(role, f"UPDATE staff_adjustmentrequest SET {change} WHERE id = %(id)s", law, asked, by=bosses[0].pk)


@pytest.mark.parametrize("role", ["default", "owner"])
def test_the_words_go_with_an_erased_customer_alone(role: str, asked: AdjustmentRequest) -> None:
    erase = "UPDATE staff_adjustmentrequest SET reason = NULL, erased_at = now() WHERE id = %(id)s"
    refused(role, erase, denied_or("what was asked for never changes", role), asked)


@pytest.mark.parametrize("role", ["default", "owner"])
@pytest.mark.parametrize("statement", ["DELETE FROM {t} WHERE id = %(id)s", "TRUNCATE {t}"])
def test_a_request_is_never_deleted(role: str, statement: str, asked: AdjustmentRequest) -> None:
    law = denied_or("append-only", role)
    refused(role, statement.format(t="staff_adjustmentrequest"), law, asked)


def test_a_request_begins_by_waiting(asked: AdjustmentRequest) -> None:
    born_decided = AdjustmentRequest.objects.get(pk=asked.pk)
    born_decided.pk = ids.new_id()
    born_decided.state, born_decided.decided_by, born_decided.decided_at = "cancelled", asked.asked_by, NOON
    with pytest.raises(IntegrityError, match="a request begins by waiting"):
        born_decided.save(force_insert=True)


@pytest.mark.parametrize(
    ("change", "law"),
    [
        ({"points": 0}, "adjustment_request_changes_something"),
        ({"expires_at": NOON}, "adjustment_request_ends_after_it_began"),
        ({"reason": None}, "adjustment_request_has_a_reason_until_erased"),
    ],
)
def test_a_request_makes_sense(asked: AdjustmentRequest, change: dict[str, Any], law: str) -> None:
    odd = AdjustmentRequest.objects.get(pk=asked.pk)
    odd.pk = ids.new_id()
    for name, value in change.items():
        setattr(odd, name, value)
    with pytest.raises(IntegrityError, match=law):
        odd.save(force_insert=True)


@pytest.mark.parametrize(
    ("change", "law"),
    [
        ("most_points = 0", "adjustment_limit_positive"),
        ("most_points_a_day = -1", "adjustment_limit_a_day_positive"),
    ],
)
def test_a_limit_is_positive_or_none(clerk: User, program: Program, change: str, law: str) -> None:
    with pytest.raises(IntegrityError, match=law):
        run("default", f"UPDATE staff_adjustmentlimit SET {change} WHERE program_id = %(program)s", program=program.pk)
    assert AdjustmentLimit.objects.get(program=program).most_points == 100


def test_a_role_has_one_limit_in_a_programme(clerk: User, program: Program) -> None:
    limit = AdjustmentLimit.objects.get(program=program)
    limit.pk = ids.new_id()
    with pytest.raises(IntegrityError, match="adjustment_limit_unique_in_program"):
        limit.save(force_insert=True)


def test_nobody_calls_what_erases_words() -> None:
    with pytest.raises(Error, match=r"permission denied|can only be called as trigger"):
        run("default", "SELECT staff_erase_words()")


@pytest.mark.parametrize("role", ["default", "owner"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE staff_auditentry SET actor = 'nobody' WHERE program_id = %(program)s",
        "DELETE FROM staff_auditentry WHERE program_id = %(program)s",
        "DELETE FROM staff_auditentry WHERE FALSE",
        "TRUNCATE staff_auditentry",
    ],
)
def test_the_audit_log_is_only_added_to(role: str, statement: str, program: Program) -> None:
    audit.record(action=audit.Action.CHANGED, by="test", about=program, at=NOON)
    before = list(AuditEntry.objects.filter(program=program).values())

    with pytest.raises((IntegrityError, ProgrammingError), match=denied_or("the audit log is append-only", role)):
        run(role, statement, program=program.pk)

    assert list(AuditEntry.objects.filter(program=program).values()) == before
    assert len(before) == 1
