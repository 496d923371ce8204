"""Adjustments above somebody's limit: they wait for a second person, who approves or refuses them."""

import datetime
import uuid
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission
from django.db.models import F
from django.urls import reverse

from cards.models import Customer
from loyalty.models import Program
from points.models import PointDefinition
from rewards import persons
from staff.models import AdjustmentLimit, AdjustmentRequest, AdjustmentSettings
from tests.admin import pages
from tests.admin.conftest import ADJUSTER, VIEWER, Browser, staff, trust
from tests.factories import CustomerFactory
from tests.points.till import NOON, Till, days

REQUESTS = ["view_adjustmentrequest"]


@pytest.fixture
def clerk(program: Program) -> Browser:
    """May adjust 100 points at once and 250 a day."""
    return trust(staff("Clara", [*ADJUSTER, *REQUESTS]), program, at_once=100, a_day=250)


@pytest.fixture
def boss(program: Program) -> Browser:
    """May approve, up to 1,000 points."""
    return trust(staff("Boris", [*VIEWER, *REQUESTS, "approve_adjustment"]), program, at_once=1000)


def form(definition: PointDefinition, points: Any, **said: Any) -> dict[str, Any]:
    values = {"definition": definition.pk, "points": str(points), "reason": "Goodwill", "key": str(uuid.uuid4())}
    return values | said


@pytest.fixture
def asked(clerk: Browser, customer: Customer, definition: PointDefinition) -> AdjustmentRequest:
    """Clara has asked for 101 points."""
    clerk.post(pages.of(customer, "adjust"), form(definition, 101, reference="complaint 7"))
    return AdjustmentRequest.objects.get(program=customer.program)


def state(request: AdjustmentRequest) -> str:
    request.refresh_from_db()
    return request.state


# Limits


def test_are_posted_at_once_up_to_the_limit(
    clerk: Browser, till: Till, customer: Customer, definition: PointDefinition
) -> None:
    page = pages.text(clerk.get(pages.of(customer, "adjust")))
    assert "You may adjust 100 points at once, 250 points a day, of which 0 are used; above that" in page

    answer = clerk.post(pages.of(customer, "adjust"), form(definition, 100), follow=True)

    assert "Adjusted by +100. The balance is 100 now." in pages.text(answer)
    assert till.history() == [("adjust", Decimal(100))]
    assert "of which 100 are used" in pages.text(clerk.get(pages.of(customer, "adjust")))


@pytest.mark.parametrize("points", [101, -101])
def test_wait_above_the_limit(
    clerk: Browser, till: Till, customer: Customer, definition: PointDefinition, points: int
) -> None:
    till.award(500)

    answer = clerk.post(pages.of(customer, "adjust"), form(definition, points), follow=True)

    assert "is above your limit: nothing is adjusted until a second person approves it." in pages.text(answer)
    made = AdjustmentRequest.objects.get(program=customer.program)
    assert answer.redirect_chain[-1][0] == pages.of(made)
    assert (made.points, made.reason, made.state, made.asked_by) == (points, "Goodwill", "requested", clerk.user)
    assert (made.asked_at, made.expires_at) == (NOON, days(7))
    assert till.history() == [("award", Decimal(500))]


def test_wait_above_the_limit_of_the_day(
    clerk: Browser, till: Till, customer: Customer, definition: PointDefinition
) -> None:
    for points in (100, -100):
        clerk.post(pages.of(customer, "adjust"), form(definition, points))

    # 100 + 100 + 51 > 250: what is taken away counts as what is added.
    clerk.post(pages.of(customer, "adjust"), form(definition, 51))
    assert till.balance == 100 - 100
    clerk.post(pages.of(customer, "adjust"), form(definition, 50))
    assert till.balance == 100 - 100 + 50
    assert [request.points for request in AdjustmentRequest.objects.filter(program=customer.program)] == [51]


def test_count_by_the_days_of_the_programme(
    clerk: Browser, till: Till, customer: Customer, definition: PointDefinition
) -> None:
    # In Vilnius the 3rd of March begins at 22:00 UTC.
    for hour, points, balance in [(20, 100, 100), (21, 100, 200), (21, 100, 200), (22, 100, 300)]:
        with time_machine.travel(datetime.datetime(2026, 3, 2, hour, 30, tzinfo=datetime.UTC), tick=False):
            clerk.post(pages.of(customer, "adjust"), form(definition, points))
        assert till.balance == balance


def test_count_nothing_that_the_ledger_refused(
    clerk: Browser, till: Till, customer: Customer, definition: PointDefinition
) -> None:
    for _ in range(3):
        answer = clerk.post(pages.of(customer, "adjust"), form(definition, -100))
        assert "There are not enough points: 100 to take away, but the balance is 0." in pages.text(answer)

    assert "of which 0 are used" in pages.text(clerk.get(pages.of(customer, "adjust")))
    assert not AdjustmentRequest.objects.filter(program=customer.program).exists()


def test_go_by_the_highest_limit_of_somebodys_roles(
    clerk: Browser, program: Program, till: Till, customer: Customer, definition: PointDefinition
) -> None:
    trust(clerk, program, at_once=400, a_day=300)

    clerk.post(pages.of(customer, "adjust"), form(definition, 300))
    assert till.balance == 300
    clerk.post(pages.of(customer, "adjust"), form(definition, 1))
    assert till.balance == 300


def test_wait_always_without_a_limit_in_the_programme(
    till: Till, customer: Customer, definition: PointDefinition
) -> None:
    other = Program.objects.create(slug=f"other-{uuid.uuid4().hex[:8]}", name="Other Shop")
    elsewhere = trust(staff("Elsa", ADJUSTER), other)

    assert "Nothing without the approval of a second person" in pages.text(elsewhere.get(pages.of(customer, "adjust")))
    answer = elsewhere.post(pages.of(customer, "adjust"), form(definition, 1), follow=True)

    assert "+1 is above your limit" in pages.text(answer)
    assert till.rows() == []
    assert AdjustmentRequest.objects.filter(program=customer.program).count() == 1


def test_are_posted_by_a_superuser_without_limit(
    superuser: Browser, till: Till, customer: Customer, definition: PointDefinition
) -> None:
    assert "You may adjust Any number of points" in pages.text(superuser.get(pages.of(customer, "adjust")))
    superuser.post(pages.of(customer, "adjust"), form(definition, 1_000_000))
    assert till.balance == 1_000_000


def test_ask_once_when_the_same_page_is_sent_twice(
    clerk: Browser, customer: Customer, definition: PointDefinition
) -> None:
    sent = form(definition, 101)

    first = clerk.post(pages.of(customer, "adjust"), sent)
    second = clerk.post(pages.of(customer, "adjust"), sent)

    assert first["Location"] == second["Location"]
    assert AdjustmentRequest.objects.filter(program=customer.program).count() == 1


def test_limits_are_set_by_those_who_may(program: Program, definition: PointDefinition) -> None:
    role = Group.objects.create(name=f"role-{program.slug}")
    anna = staff("Anna", [f"{verb}_adjustmentlimit" for verb in ("view", "add", "change", "delete")])
    said = {"program": program.pk, "group": role.pk, "most_points": "100", "most_points_a_day": ""}

    assert anna.post(pages.adding(AdjustmentLimit), said).status_code == 302
    limit = AdjustmentLimit.objects.get(program=program)
    assert (limit.group, limit.most_points, limit.most_points_a_day) == (role, 100, None)
    assert f"role-{program.slug} Corner Shop 100 No limit" in pages.text(
        anna.get(pages.listing(AdjustmentLimit), {"program__id__exact": str(program.pk)})
    )
    assert "has a limit in this programme already" in pages.text(anna.post(pages.adding(AdjustmentLimit), said))
    assert "greater than or equal to 0.01" in pages.text(anna.post(pages.of(limit), said | {"most_points": "0"}))

    assert anna.post(pages.of(limit, "remove")).status_code == 302
    assert not AdjustmentLimit.objects.filter(program=program).exists()


# Approving


def test_are_posted_when_a_second_person_approves(
    boss: Browser, clerk: Browser, till: Till, asked: AdjustmentRequest
) -> None:
    page = pages.text(boss.get(pages.of(asked, "approve")))
    assert "Change +101 Points Balance now 0 Reason Goodwill Reference complaint 7 Asked by Clara Brown" in page

    answer = boss.post(pages.of(asked, "approve"), follow=True)

    assert "Approved: the points are adjusted." in pages.text(answer)
    assert till.history() == [("adjust", Decimal(101))]
    [entry] = till.entries()
    assert (entry.reason, entry.reference) == ("Goodwill", "complaint 7")
    assert (entry.staff_member, entry.actor) == ("Clara Brown", f"staff:{boss.user.username}")
    assert entry.metadata == {
        "adjustment_request": str(asked.pk),
        "asked_by": clerk.user.username,
        "approved_by": boss.user.username,
    }
    assert state(asked) == "approved"
    assert (asked.decided_by, asked.decided_at) == (boss.user, NOON)
    assert (asked.account_id, asked.entry_id) == (till.account.id, entry.pk)


def test_are_posted_once_when_approved_twice(boss: Browser, till: Till, asked: AdjustmentRequest) -> None:
    for _ in range(2):
        assert boss.post(pages.of(asked, "approve")).status_code == 302
    assert till.history() == [("adjust", Decimal(101))]


def test_are_not_approved_by_whoever_asked(clerk: Browser, till: Till, asked: AdjustmentRequest) -> None:
    clerk.user.user_permissions.add(Permission.objects.get(codename="approve_adjustment"))

    assert "Approve" not in pages.text(clerk.get(pages.of(asked)))
    for deed in ("approve", "refuse"):
        answer = clerk.post(pages.of(asked, deed), {"why": "Mine"})
        assert "A second person has to decide: it is your own request." in pages.text(answer)
    assert state(asked) == "requested"
    assert till.rows() == []


def test_are_not_approved_above_the_second_persons_limit(
    program: Program, till: Till, asked: AdjustmentRequest
) -> None:
    small = trust(staff("Sven", [*REQUESTS, "approve_adjustment"]), program, at_once=100)
    nobody = staff("Nils", [*REQUESTS, "approve_adjustment"])

    for somebody in (small, nobody):
        answer = somebody.post(pages.of(asked, "approve"))
        assert "It is above your own limit." in pages.text(answer)
    assert state(asked) == "requested"
    assert till.rows() == []


def test_count_for_the_day_of_whoever_approves(program: Program, till: Till, asked: AdjustmentRequest) -> None:
    daily = trust(staff("Dora", [*REQUESTS, "approve_adjustment"]), program, a_day=150)
    again = AdjustmentRequest.objects.create(
        program=program,
        definition=asked.definition,
        customer=asked.customer,
        points=50,
        reason="More",
        asked_by=asked.asked_by,
        asked_at=NOON,
        expires_at=days(7),
    )

    assert daily.post(pages.of(asked, "approve")).status_code == 302
    # 101 + 50 > 150
    assert "It is above your own limit." in pages.text(daily.post(pages.of(again, "approve")))
    assert till.balance == 101


def test_need_the_permission_to_be_decided(clerk: Browser, till: Till, asked: AdjustmentRequest) -> None:
    peer = staff("Paul", [*ADJUSTER, *REQUESTS])

    assert peer.get(pages.of(asked)).status_code == 200
    for deed in ("approve", "refuse"):
        assert peer.post(pages.of(asked, deed), {"why": "Mine"}).status_code == 403
    assert state(asked) == "requested"
    assert till.rows() == []


def test_go_on_waiting_when_the_ledger_refuses(
    *, clerk: Browser, boss: Browser, till: Till, customer: Customer, definition: PointDefinition
) -> None:
    till.award(200)
    clerk.post(pages.of(customer, "adjust"), form(definition, -150))
    asked = AdjustmentRequest.objects.get(program=customer.program)
    till.redeem(60)

    answer = boss.post(pages.of(asked, "approve"))

    assert "There are not enough points: the balance is 140." in pages.text(answer)
    assert state(asked) == "requested"
    assert till.balance == 200 - 60
    till.award(10)
    assert boss.post(pages.of(asked, "approve")).status_code == 302
    assert till.balance == 200 - 60 + 10 - 150


def test_are_refused_with_a_reason(boss: Browser, clerk: Browser, till: Till, asked: AdjustmentRequest) -> None:
    assert "This field is required." in pages.text(boss.post(pages.of(asked, "refuse"), {"why": " "}))
    assert state(asked) == "requested"

    boss.post(pages.of(asked, "refuse"), {"why": "Ask for less"})

    assert state(asked) == "refused"
    assert (asked.decided_by, asked.decision) == (boss.user, "Ask for less")
    assert "Ask for less" in pages.text(clerk.get(pages.of(asked)))
    assert "was faster" not in pages.text(boss.post(pages.of(asked, "refuse"), {"why": "Again"}, follow=True))
    assert "Boris Brown was faster: refused." in pages.text(boss.post(pages.of(asked, "approve")))
    assert till.rows() == []


def test_are_withdrawn_by_whoever_asked(boss: Browser, clerk: Browser, till: Till, asked: AdjustmentRequest) -> None:
    peer = staff("Paul", [*ADJUSTER, *REQUESTS])
    assert "Only whoever asked for it can withdraw it." in pages.text(peer.post(pages.of(asked, "withdraw")))
    assert state(asked) == "requested"

    clerk.post(pages.of(asked, "withdraw"))

    assert state(asked) == "cancelled"
    assert "Clara Brown was faster: withdrawn." in pages.text(boss.post(pages.of(asked, "approve")))
    assert till.rows() == []


def test_expire_by_the_clock(boss: Browser, clerk: Browser, till: Till, asked: AdjustmentRequest) -> None:
    with time_machine.travel(days(7), tick=False):
        assert "Expired" in pages.text(boss.get(pages.of(asked)))
        assert "Approve" not in pages.text(boss.get(pages.of(asked)))
        for deed in ("approve", "refuse"):
            answer = boss.post(pages.of(asked, deed), {"why": "Late"})
            assert "The request has expired. Ask for the adjustment again." in pages.text(answer)
        assert "has expired" in pages.text(clerk.post(pages.of(asked, "withdraw")))
    assert state(asked) == "requested"
    assert till.rows() == []
    with time_machine.travel(days(7) - datetime.timedelta(seconds=1), tick=False):
        assert boss.post(pages.of(asked, "approve")).status_code == 302
    assert till.balance == 101


def test_wait_as_long_as_the_programme_says(
    clerk: Browser, customer: Customer, definition: PointDefinition, program: Program
) -> None:
    anna = staff("Anna", ["view_adjustmentsettings", "add_adjustmentsettings"])
    assert anna.post(pages.adding(AdjustmentSettings), {"program": program.pk, "request_days": "91"}).status_code == 200
    anna.post(pages.adding(AdjustmentSettings), {"program": program.pk, "request_days": "2"})

    clerk.post(pages.of(customer, "adjust"), form(definition, 101))

    assert AdjustmentRequest.objects.get(program=program).expires_at == days(2)


def test_are_posted_for_whom_the_customer_was_merged_into(
    boss: Browser, program: Program, till: Till, asked: AdjustmentRequest
) -> None:
    bob = CustomerFactory(program=program, name="Bob Brown")
    persons.merge(customer=asked.customer, into=bob, actor="till", at=NOON)

    boss.post(pages.of(asked, "approve"))

    assert state(asked) == "approved"
    assert Till(till.account.of(bob.pk)).balance == 101


def test_lose_their_words_with_an_erased_customer(
    boss: Browser, clerk: Browser, customer: Customer, definition: PointDefinition, asked: AdjustmentRequest
) -> None:
    clerk.post(pages.of(customer, "adjust"), form(definition, 102, reason="Other words"))
    refused = AdjustmentRequest.objects.filter(program=customer.program).exclude(pk=asked.pk).get()
    boss.post(pages.of(refused, "refuse"), {"why": "No"})

    persons.erase(customer=customer, actor="till", at=NOON)

    for request in (asked, refused):
        request.refresh_from_db()
        assert (request.reason, request.reference, request.decision, request.erased_at) == (None, None, None, NOON)
    assert (asked.state, refused.state) == ("requested", "refused")
    page = pages.text(boss.post(pages.of(asked, "approve")))
    assert "There is no such customer." in page
    assert "Erased" in page
    assert state(asked) == "requested"


# Lists


def test_are_listed_by_their_state_newest_first(
    boss: Browser, clerk: Browser, customer: Customer, definition: PointDefinition, asked: AdjustmentRequest
) -> None:
    for points in (102, 103, 104):
        clerk.post(pages.of(customer, "adjust"), form(definition, points))
    two, three, four = AdjustmentRequest.objects.filter(program=customer.program).order_by("pk")[1:]
    boss.post(pages.of(two, "approve"))
    boss.post(pages.of(three, "refuse"), {"why": "No"})
    AdjustmentSettings.objects.create(program=customer.program, request_days=1)
    clerk.post(pages.of(customer, "adjust"), form(definition, 105))
    five = AdjustmentRequest.objects.filter(program=customer.program).latest("pk")

    def listed(**said: str) -> list[AdjustmentRequest]:
        answer = boss.get(pages.listing(AdjustmentRequest), {"program__id__exact": str(customer.program_id)} | said)
        return list(answer.context["cl"].result_list)

    with time_machine.travel(days(2), tick=False):
        assert listed() == [five, four, three, two, asked]
        assert listed(state="requested") == [four, asked]
        assert listed(state="approved") == [two]
        assert listed(state="refused") == [three]
        assert listed(state="cancelled") == []
        assert listed(state="expired") == [five]


def test_say_beside_their_link_how_many_wait(boss: Browser, clerk: Browser, asked: AdjustmentRequest) -> None:
    def badge(browser: Browser) -> Any:
        groups = browser.get(reverse("admin:index")).context["sidebar_navigation"]
        [item] = [item for group in groups for item in group["items"] if item["title"] == "Adjustment requests"]
        return item.get("badge")

    AdjustmentRequest.objects.exclude(pk=asked.pk).filter(state="requested").update(
        state="cancelled", decided_by_id=F("asked_by_id"), decided_at=F("asked_at")
    )
    assert badge(boss) == "1"
    # Whoever may not decide is not called, nor whoever asked.
    assert badge(clerk) is None
    with time_machine.travel(days(7), tick=False):
        assert badge(boss) is None
