"""A link in each e-mail leads to a page on which the customer unsubscribes without a login; mail readers do it by one
click."""

import re
from typing import Any

import pytest
from django.core import signing
from django.test import Client as Browser

from cards.models import Customer
from loyalty import ids
from loyalty.models import Program
from notices import following, unsubscribing
from notices.kinds import Group, Kind
from points import reminders
from rewards import persons
from tests.admin.pages import text
from tests.api.management.conftest import make_program
from tests.api.v1.client import Client
from tests.factories import CustomerFactory
from tests.notices.conftest import DAY, NOON
from tests.notices.post import award, html, link, sent, subjects


@pytest.fixture
def browser() -> Browser:
    """Of somebody who is not logged in, with the checks of forms that browsers meet."""
    return Browser(enforce_csrf_checks=True)


@pytest.fixture
def address(shop: Client, alice: Customer) -> str:
    """What the link of a receipt leads to."""
    award(shop, 1)
    [message] = sent()
    return link(message)


def choices(customer: Customer) -> list[str]:
    return Customer.objects.get(pk=customer.pk).unsubscribed_from


def one_click(browser: Browser, address: str, **options: Any) -> Any:
    """As RFC 8058 has it."""
    return browser.post(address, {"List-Unsubscribe": "One-Click"}, **options)


def test_is_linked_in_every_part_of_the_e_mail(shop: Client, alice: Customer) -> None:
    award(shop, 1)
    [message] = sent()
    whole = f"http://127.0.0.1:8000{link(message)}"
    assert message.extra_headers["List-Unsubscribe"] == f"<{whole}>"
    assert message.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message.body.count(whole) == 1
    assert html(message).count(whole) == 1


def test_shows_only_when_it_is_opened(browser: Browser, address: str, alice: Customer) -> None:
    for response in (browser.get(address), browser.head(address), browser.get(f"{address}?choice=all")):
        assert response.status_code == 200
    page = text(browser.get(address))
    assert "You get receipts of points earned and used from Corner Shop by e-mail." in page
    assert "Alice" not in page
    assert "alice@example.com" not in page
    assert choices(alice) == []


def test_unsubscribes_from_the_group_and_again_and_resubscribes(
    browser: Browser, shop: Client, address: str, alice: Customer
) -> None:
    for _ in range(2):
        page = text(browser.post(address, {"choice": "group"}))
        assert "You get no more receipts of points earned and used from Corner Shop." in page
        assert choices(alice) == ["receipts"]
    award(shop, 2, expires_at=(NOON + 5 * DAY).isoformat())
    reminders.remind(at=NOON)
    assert subjects() == ["2 points will expire soon"]
    page = text(browser.post(address, {"choice": "all"}))
    assert "Corner Shop does not write to you any more" in page
    assert choices(alice) == ["all", "receipts"]
    award(shop, 3)
    assert sent() == []
    page = text(browser.post(address, {"choice": "again"}))
    assert "You get receipts" in page
    assert choices(alice) == []
    award(shop, 4)
    assert subjects() == ["You have earned 4 points"]


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_takes_one_click_of_a_mail_reader(browser: Browser, address: str, alice: Customer, content_type: str) -> None:
    bodies = {
        "a": "List-Unsubscribe=One-Click",
        "m": '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n',
    }
    for _ in range(2):
        response = browser.generic("POST", address, bodies[content_type[0]], content_type=content_type)
        assert response.status_code == 200
        assert "Set-Cookie" not in response.headers
    assert choices(alice) == ["receipts"]


def test_does_nothing_for_a_post_that_says_nothing(browser: Browser, address: str, alice: Customer) -> None:
    assert browser.post(address, {"choice": "everything"}).status_code == 200
    assert choices(alice) == []
    assert browser.delete(address).status_code == 405


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token.replace("receipts", "tiers"),
        lambda token: token.partition(".")[0],
        lambda token: token * 5,
        lambda token: f"{ids.new_id().hex}-receipts.{token.partition('.')[2]}",
    ],
)
def test_refuses_a_link_that_was_made_up(browser: Browser, address: str, alice: Customer, spoil: Any) -> None:
    forged = f"/notices/{spoil(address.removeprefix('/notices/'))}"
    assert "This link does not work" in text(browser.get(forged), status=404)
    assert one_click(browser, forged).status_code == 404
    assert choices(alice) == []


def test_refuses_what_else_is_signed_here(browser: Browser, alice: Customer) -> None:
    token = signing.Signer(salt="another", sep=".").sign(f"{alice.pk.hex}-receipts")
    assert one_click(browser, f"/notices/{token}").status_code == 404
    assert choices(alice) == []


def test_leaves_the_same_person_in_another_programme_alone(browser: Browser, address: str, alice: Customer) -> None:
    other = make_program()
    namesake = CustomerFactory(program=other, email=alice.email)
    assert one_click(browser, address).status_code == 200
    assert (choices(alice), choices(namesake)) == (["receipts"], [])


def test_works_for_whom_the_customer_was_merged_into(
    browser: Browser, shop: Client, program: Program, address: str, alice: Customer
) -> None:
    bob = CustomerFactory(program=program, email="bob@example.com")
    persons.merge(customer=alice, into=bob, actor="staff", at=NOON)
    assert one_click(browser, address).status_code == 200
    assert (choices(alice), choices(bob)) == ([], ["receipts"])
    award(shop, 5)
    assert sent() == []
    browser.post(address, {"choice": "again"})
    assert choices(bob) == []


def test_keeps_what_both_wanted_when_two_are_merged(program: Program, alice: Customer) -> None:
    bob = CustomerFactory(program=program, email="bob@example.com", unsubscribed_from=["tiers"])
    Customer.objects.filter(pk=alice.pk).update(unsubscribed_from=["receipts"])
    persons.merge(customer=Customer.objects.get(pk=alice.pk), into=bob, actor="staff", at=NOON)
    assert choices(bob) == ["receipts", "tiers"]


def test_tells_an_erased_customer_that_nothing_comes(browser: Browser, address: str, alice: Customer) -> None:
    persons.erase(customer=alice, actor="staff", at=NOON)
    assert one_click(browser, address).status_code == 200
    assert text(browser.get(address)) == "You get no e-mails You get no e-mails"
    assert choices(alice) == []


def test_speaks_the_customers_language(browser: Browser, address: str, alice: Customer) -> None:
    Customer.objects.filter(pk=alice.pk).update(locale="lt")
    response = browser.get(address)
    assert "Iš „Corner Shop“ el. paštu gaunate: gautų ir panaudotų taškų kvitai." in text(response)
    assert response.headers["Content-Language"] == "lt"
    assert '<html lang="lt">' in response.content.decode()
    forged = browser.get("/notices/x", HTTP_ACCEPT_LANGUAGE="lt")
    assert "Ši nuoroda neveikia" in text(forged, status=404)


def test_is_told_to_nobody_else(browser: Browser, address: str) -> None:
    headers = browser.get(address).headers
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in headers["Cache-Control"]
    assert headers["X-Robots-Tag"] == "noindex"


def test_holds_for_each_group_by_itself(program: Program, alice: Customer) -> None:
    for group in Group:
        found = re.search(r"/notices/(.*)", unsubscribing.address(customer=alice, group=group))
        assert found is not None
        said = unsubscribing.read(found[1])
        assert said is not None
        assert (said.customer_id, said.group) == (alice.pk, group)
        unsubscribing.unsubscribe(link=said)
        assert following.refusal(Customer.objects.get(pk=alice.pk), Kind.EARNED) == (
            "unsubscribed" if group == Group.RECEIPTS else None
        )
    assert choices(alice) == ["campaigns", "receipts", "reminders", "tiers"]
