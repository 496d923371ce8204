"""Point definitions in the admin: numbered, with policies that are whole, and one default a programme."""

from typing import Any

import pytest

from loyalty.models import Program
from points.models import PointDefinition
from tests.admin import pages
from tests.admin.conftest import Browser


def form(program: Program, **said: Any) -> dict[str, Any]:
    return {
        "program": program.pk,
        "name": "Miles",
        "code": "miles",
        "decimal_places": "2",
        "expiry_policy": "months",
        "expiry_count": "6",
        "clawback": "refuse",
    } | said


def test_makes_one_with_the_next_number(manager: Browser, program: Program, definition: PointDefinition) -> None:
    answer = manager.post(pages.adding(PointDefinition), form(program, description="For flights", clawback="to_zero"))

    assert answer.status_code == 302
    made = program.definitions.get(code="miles")
    assert (definition.number, made.number) == (1, 2)
    assert (made.decimal_places, made.expiry_policy, made.expiry_count) == (2, "months", 6)
    assert (made.description, made.clawback, made.is_default) == ("For flights", "to_zero", False)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"code": "points"}, "Point definition with this Programme and Code already exists."),
        ({"code": "Has Spaces"}, "Enter a valid value."),
        ({"decimal_places": "3"}, "less than or equal to 2"),
        ({"expiry_count": ""}, "must be between 1 and 1200"),
        ({"expiry_policy": "day_of_year", "expiry_month": "2", "expiry_day": "30"}, "must be a day of month 2"),
        ({"expiry_policy": "nonsense"}, "Select a valid choice."),
    ],
)
def test_refuses_what_makes_no_sense(manager: Browser, program: Program, said: dict[str, str], complaint: str) -> None:
    answer = manager.post(pages.adding(PointDefinition), form(program, **said))

    assert complaint.lower() in pages.text(answer).lower()
    assert program.definitions.count() == 1


def test_changes_policies_but_neither_code_nor_decimals_nor_programme(
    manager: Browser, program: Program, definition: PointDefinition
) -> None:
    other = Program.objects.create(slug=f"other-{program.slug}", name="Other")

    manager.post(pages.of(definition), form(other, expiry_policy="none", is_default="", number="9"))

    changed = PointDefinition.objects.get(pk=definition.pk)
    assert (changed.name, changed.expiry_policy) == ("Miles", "none")
    assert (changed.program, changed.code, changed.decimal_places, changed.number) == (program, "points", 0, 1)
    assert changed.is_default


def test_moves_the_default(manager: Browser, program: Program, definition: PointDefinition) -> None:
    manager.post(pages.adding(PointDefinition), form(program))
    miles = program.definitions.get(code="miles")
    assert "Default now Points" in pages.text(manager.get(pages.of(miles, "make-default")))

    manager.post(pages.of(miles, "make-default"))

    assert [d.code for d in program.definitions.filter(is_default=True)] == ["miles"]
    assert pages.of(miles, "make-default") not in manager.get(pages.of(miles)).content.decode()


def test_leaves_the_defaults_of_other_programmes_alone(
    manager: Browser, program: Program, definition: PointDefinition
) -> None:
    before = set(PointDefinition.objects.filter(is_default=True).exclude(program=program).values_list("pk", flat=True))
    manager.post(pages.adding(PointDefinition), form(program))

    manager.post(pages.of(program.definitions.get(code="miles"), "make-default"))

    after = set(PointDefinition.objects.filter(is_default=True).exclude(program=program).values_list("pk", flat=True))
    assert after == before


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"expiry_policy": "none"}, "Never"),
        ({"expiry_policy": "months", "expiry_count": 12}, "12 months after the award"),
        ({"expiry_policy": "days", "expiry_count": 30}, "30 days after the award"),
        ({"expiry_policy": "day_of_year", "expiry_month": 12, "expiry_day": 31}, "Every year after 31/12"),
        ({"expiry_policy": "end_of_quarter", "expiry_count": 6}, "At the end of the quarter, 6 months on"),
        ({"expiry_policy": "inactivity", "expiry_count": 9}, "After 9 months without activity"),
    ],
)
def test_says_when_points_expire(
    viewer: Browser, definition: PointDefinition, policy: dict[str, Any], words: str
) -> None:
    PointDefinition.objects.filter(pk=definition.pk).update(**policy)

    assert words in pages.text(
        viewer.get(pages.listing(PointDefinition), {"program__id__exact": definition.program.pk})
    )
