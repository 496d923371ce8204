"""Users and groups in the admin: what can be allowed, and by whom."""

import secrets

import pytest
from django.contrib.auth.models import Group, Permission, User

from tests.admin import pages
from tests.admin.conftest import Browser, staff


@pytest.fixture
def name() -> str:
    return secrets.token_hex(6)


def test_makes_somebody_who_can_log_in(superuser: Browser, name: str) -> None:
    password = "correct-horse-battery"

    answer = superuser.post(pages.adding(User), {"username": name, "password1": password, "password2": password})

    made = User.objects.get(username=name)
    assert answer.status_code == 302
    assert (made.is_staff, made.is_superuser, made.check_password(password)) == (True, False, True)


def test_puts_somebody_in_a_group(superuser: Browser, name: str) -> None:
    user = User.objects.create_user(name, is_staff=True)
    group = Group.objects.create(name=name)

    superuser.post(pages.of(user), {"username": name, "is_active": "on", "is_staff": "on", "groups": [group.pk]})

    assert list(user.groups.all()) == [group]
    assert name in pages.text(superuser.get(pages.listing(User), {"q": name}))


def test_looks_for_no_more_words_than_somebody_could_be_called(superuser: Browser, name: str) -> None:
    User.objects.create_user(name, is_staff=True)

    def found(term: str) -> list[str]:
        answer = superuser.get(pages.listing(User), {"q": term})
        return [user.username for user in answer.context["cl"].result_list]

    assert found(f"{name} {name[:6]}") == [name]
    # Each word was a condition of its own, of which twenty thousand took half a minute.
    assert found(f"{name} " * 20_000) == []


def test_lets_a_group_do_what_can_be_done_here(superuser: Browser, name: str) -> None:
    adjust = Permission.objects.get(codename="adjust_points")

    superuser.post(pages.adding(Group), {"name": name, "permissions": [adjust.pk]})

    assert list(Group.objects.get(name=name).permissions.all()) == [adjust]
    page = pages.text(superuser.get(pages.adding(Group)))
    for sense in ("Can adjust points", "Can use the till", "Can erase customers", "Can view ledger entry"):
        assert sense in page
    assert "Can delete tier" in page
    for nonsense in ("Can change ledger entry", "Can delete customer", "Can add point account", "session"):
        assert nonsense not in page


def test_offers_no_permission_over_users(superuser: Browser, name: str) -> None:
    forbidden = Permission.objects.get(codename="change_user")

    answer = superuser.post(pages.adding(Group), {"name": name, "permissions": [forbidden.pk]})

    assert "Select a valid choice." in pages.text(answer)
    assert not Group.objects.filter(name=name).exists()


def test_lets_an_administrator_manage_staff(name: str) -> None:
    administrator = staff("Anna", [])
    administrator.user.groups.add(Group.objects.get(name="Administrator"))
    user = User.objects.create_user(name, is_staff=True)
    cashiers = Group.objects.get(name="Cashier")

    answer = administrator.post(
        pages.of(user), {"username": name, "is_active": "on", "is_staff": "on", "groups": [cashiers.pk]}
    )

    assert answer.status_code == 302
    assert list(user.groups.all()) == [cashiers]


def test_makes_no_superuser_but_by_a_superuser(name: str) -> None:
    climber = staff("Carl", [])
    climber.user.groups.add(Group.objects.get(name="Administrator"))

    climber.post(pages.of(climber.user), {"username": name, "is_active": "on", "is_superuser": "on", "is_staff": "on"})

    assert not User.objects.get(pk=climber.user.pk).is_superuser


def test_leaves_superusers_to_superusers(superuser: Browser, name: str) -> None:
    climber = staff("Carl", [])
    climber.user.groups.add(Group.objects.get(name="Administrator"))
    password = f"{pages.of(superuser.user).removesuffix('change/')}password/"

    assert climber.post(pages.of(superuser.user), {"username": name}).status_code == 403
    assert climber.post(password, {"password1": "correct-horse-b", "password2": "correct-horse-b"}).status_code == 403
    assert User.objects.get(pk=superuser.user.pk).password == superuser.user.password


def test_shows_an_auditor_no_password() -> None:
    auditor = staff("Otto", [])
    auditor.user.groups.add(Group.objects.get(name="Auditor"))
    somebody = User.objects.create_user(secrets.token_hex(6), password="correct-horse-battery")

    page = auditor.get(pages.of(somebody))

    assert page.status_code == 200
    assert somebody.password not in page.content.decode()


def test_never_deletes_somebody_whom_entries_name(superuser: Browser, name: str) -> None:
    user = User.objects.create_user(name)

    assert superuser.post(pages.of(user, "delete"), {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=user.pk).exists()
