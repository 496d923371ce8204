"""A shop's account, a clerk with a limit, and two bosses who may approve."""

import secrets

import pytest
from django.contrib.auth.models import Group, Permission, User

from loyalty.models import Program
from points.models import AccountRef
from staff.models import AdjustmentLimit, AdjustmentRequest
from tests.factories import make_account
from tests.points.till import NOON, Till, days


def member(name: str, program: Program, *permissions: str, **limit: int) -> User:
    """Somebody who may do this, and adjust so many points."""
    user = User.objects.create_user(f"{name}-{secrets.token_hex(6)}", first_name=name.capitalize(), is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    role = Group.objects.create(name=f"{name}-{secrets.token_hex(6)}")
    user.groups.add(role)
    AdjustmentLimit.objects.create(program=program, group=role, **limit)
    return user


@pytest.fixture
def account(program: Program) -> AccountRef:
    return make_account(program)


@pytest.fixture
def till(account: AccountRef) -> Till:
    return Till(account)


@pytest.fixture
def clerk(program: Program) -> User:
    return member("clara", program, "adjust_points", most_points=100, most_points_a_day=250)


@pytest.fixture
def bosses(program: Program) -> list[User]:
    return [member(name, program, "approve_adjustment") for name in ("boris", "bella")]


@pytest.fixture
def asked(clerk: User, account: AccountRef) -> AdjustmentRequest:
    return AdjustmentRequest.objects.create(
        program=account.program,
        definition=account.definition,
        customer_id=account.customer_id,
        points=101,
        reason="Goodwill",
        asked_by=clerk,
        asked_at=NOON,
        expires_at=days(7),
    )
