"""Reasons of adjustments: set up by a programme, chosen by staff, and kept by the entry."""

import uuid
from typing import Any

import pytest

from cards.models import Customer
from loyalty.models import Program
from points.models import PointDefinition
from staff.models import AdjustmentReason
from tests.admin import pages
from tests.admin.conftest import Browser, staff
from tests.points.till import Till


@pytest.fixture
def goodwill(program: Program) -> AdjustmentReason:
    return AdjustmentReason.objects.create(program=program, code="goodwill", name="Goodwill")


@pytest.fixture
def mistake(program: Program) -> AdjustmentReason:
    return AdjustmentReason.objects.create(program=program, code="mistake", name="A mistake of ours", needs_note=True)


def form(definition: PointDefinition, **said: Any) -> dict[str, Any]:
    return {"definition": definition.pk, "points": "50", "reason": "", "key": str(uuid.uuid4())} | said


def test_are_made_and_changed_in_the_admin(program: Program) -> None:
    manager = staff("Mary", ["view_adjustmentreason", "add_adjustmentreason", "change_adjustmentreason"])
    said = {"program": program.pk, "code": "goodwill", "name": "Goodwill", "is_active": "on"}

    assert manager.post(pages.adding(AdjustmentReason), said).status_code == 302
    made = AdjustmentReason.objects.get(program=program)
    assert (made.code, made.name, made.needs_note, made.is_active) == ("goodwill", "Goodwill", False, True)

    manager.post(pages.of(made), said | {"code": "other", "name": "A kindness", "needs_note": "on"})
    made.refresh_from_db()
    # Entries have the code: it stays.
    assert (made.code, made.name, made.needs_note) == ("goodwill", "A kindness", True)


def test_have_a_code_of_their_own(program: Program, goodwill: AdjustmentReason) -> None:
    manager = staff("Mary", ["view_adjustmentreason", "add_adjustmentreason"])
    again = manager.post(pages.adding(AdjustmentReason), {"program": program.pk, "code": "goodwill", "name": "More"})
    odd = manager.post(pages.adding(AdjustmentReason), {"program": program.pk, "code": "Good will", "name": "More"})

    assert "The programme has a reason with this code already." in pages.text(again)
    assert "Small letters, digits, - and _, as in goodwill." in pages.text(odd)
    assert AdjustmentReason.objects.get(program=program) == goodwill


def test_are_kept_by_the_entry(
    *, adjuster: Browser, till: Till, customer: Customer, definition: PointDefinition, goodwill: AdjustmentReason
) -> None:
    page = pages.text(adjuster.get(pages.of(customer, "adjust")))
    assert "Choose one Goodwill" in page

    adjuster.post(pages.of(customer, "adjust"), form(definition, code=goodwill.pk))
    adjuster.post(pages.of(customer, "adjust"), form(definition, code=goodwill.pk, reason="a late parcel"))

    first, second = till.entries()
    assert (first.reason, first.metadata) == ("Goodwill", {"reason_code": "goodwill"})
    assert (second.reason, second.metadata) == ("Goodwill: a late parcel", {"reason_code": "goodwill"})
    assert "goodwill" in pages.text(adjuster.get(pages.of(second)))


def test_must_be_chosen_where_there_are_some(
    *, adjuster: Browser, till: Till, customer: Customer, definition: PointDefinition, goodwill: AdjustmentReason
) -> None:
    answer = adjuster.post(pages.of(customer, "adjust"), form(definition, reason="Because"))

    assert "This field is required." in pages.text(answer)
    assert till.rows() == []


def test_ask_for_the_note_that_they_need(
    *, adjuster: Browser, till: Till, customer: Customer, definition: PointDefinition, mistake: AdjustmentReason
) -> None:
    answer = adjuster.post(pages.of(customer, "adjust"), form(definition, code=mistake.pk))

    assert "Say more: “A mistake of ours” needs a note." in pages.text(answer)
    assert till.rows() == []


def test_are_neither_anothers_nor_those_that_are_not_offered(
    *, adjuster: Browser, till: Till, customer: Customer, definition: PointDefinition, goodwill: AdjustmentReason
) -> None:
    other = Program.objects.create(slug=f"other-{uuid.uuid4().hex[:8]}", name="Other Shop")
    foreign = AdjustmentReason.objects.create(program=other, code="foreign", name="Foreign")
    former = AdjustmentReason.objects.create(program=goodwill.program, code="former", name="Former", is_active=False)

    for reason in (foreign, former):
        answer = adjuster.post(pages.of(customer, "adjust"), form(definition, code=reason.pk))
        assert "Select a valid choice." in pages.text(answer)
    page = pages.text(adjuster.get(pages.of(customer, "adjust")))
    assert "Foreign" not in page
    assert "Former" not in page
    assert till.rows() == []


def test_leave_the_words_to_staff_where_there_are_none(
    adjuster: Browser, till: Till, customer: Customer, definition: PointDefinition
) -> None:
    adjuster.post(pages.of(customer, "adjust"), form(definition, reason="Because"))

    [entry] = till.entries()
    assert (entry.reason, entry.metadata) == ("Because", None)
