"""Programmes and the kinds of points that they have."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Max, Q

from loyalty import errors
from loyalty.models import Program
from points import rules
from points.models import PointDefinition

DEFAULT_CODE = "points"


def create_program(
    *, slug: str, name: str = "", currency: str = "EUR", timezone: str = "UTC", is_sandbox: bool = False
) -> Program:
    """This will make a programme with its default kind of points (whole ones, that expire after 12 months), four tiers
    and rules that earn.

    Raises:
        django.core.exceptions.ValidationError: a value is not valid, or the slug is taken.
    """
    program = Program(slug=slug, name=name or slug, currency=currency, timezone=timezone, is_sandbox=is_sandbox)
    program.full_clean()
    with transaction.atomic():
        program.save(force_insert=True)
        create_definition(program=program, code=DEFAULT_CODE, name="Points", is_default=True)
        rules.give_defaults(program=program, by="create_programme")
    return program


def create_definition(*, program: Program, code: str, name: str, **policies) -> PointDefinition:
    """This will make a definition with the next number of the programme; the default one counts for tiers.

    Raises:
        django.core.exceptions.ValidationError: a value is not valid, or the code is taken.
    """
    with transaction.atomic():
        # The programme's row is what two that are made at once wait for.
        Program.objects.select_for_update(no_key=True).get(pk=program.pk)
        last = program.definitions.aggregate(last=Max("number"))["last"] or 0
        policies.setdefault("counts_for_tiers", policies.get("is_default", False))
        definition = PointDefinition(program=program, number=last + 1, code=code, name=name, **policies)
        definition.full_clean()
        definition.save(force_insert=True)
    return definition


def find(program: Program, code: str | None) -> PointDefinition:
    """This will answer the programme's definition of that code, or its default one.

    Raises:
        errors.InvalidParameters: there is none of that code.
    """
    definition = find_all(program, [code]).get(code)
    if definition is None:
        raise unknown()
    return definition


def find_all(program: Program, codes: Iterable[str | None]) -> dict[str | None, PointDefinition]:
    """This will answer, by code, those of the programme's definitions that there are; None is its default one."""
    asked = set(codes)
    named = Q(code__in=asked - {None})
    if None in asked:
        named |= Q(is_default=True)
    found: dict[str | None, PointDefinition] = {}
    for definition in PointDefinition.objects.filter(named, program=program):
        found[definition.code] = definition
        if definition.is_default:
            found[None] = definition
    return found


def unknown() -> errors.InvalidParameters:
    """This will answer the refusal of a code that no definition of the programme has."""
    return errors.InvalidParameters({"definition": ["There is no such definition of points."]}, rule="exists")


def make_default(definition: PointDefinition) -> None:
    """This will make a definition its programme's default one; what was the default is an ordinary one then."""
    with transaction.atomic():
        # The programme's row is what two that are made default at once wait for.
        Program.objects.select_for_update(no_key=True).get(pk=definition.program_id)
        siblings = PointDefinition.objects.filter(program_id=definition.program_id)
        siblings.filter(is_default=True).update(is_default=False)
        siblings.filter(pk=definition.pk).update(is_default=True)
