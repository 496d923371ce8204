"""What description codes say, and where staff read it."""

from typing import Any

from loyalty.models import Program
from points import ledger
from points.models import DescriptionText, PointAccount
from tests.admin import pages
from tests.admin.conftest import Browser
from tests.points.till import Till


def form(program: Program, **said: Any) -> dict[str, Any]:
    return {"program": program.pk, "code": "Bonus.Points", "language": "en", "text": "Stars"} | said


def test_says_it_otherwise_and_takes_it_back(manager: Browser, program: Program, till: Till) -> None:
    till.award(5, note=ledger.Note(reason="@@(Bonus.Points) for an order", actor="system"))
    account = PointAccount.objects.get(pk=till.account.id)
    assert "Points for an order" in pages.text(manager.get(pages.of(account)))

    assert manager.post(pages.adding(DescriptionText), form(program)).status_code == 302
    assert "Stars for an order" in pages.text(manager.get(pages.of(account)))
    text = DescriptionText.objects.get(program=program)
    assert "@@(Bonus.Points) English Stars Points" in pages.text(manager.get(pages.listing(DescriptionText)))

    manager.post(pages.of(text), form(program, text="Miles", code="ConvertedToBonusCheck"))
    text.refresh_from_db()
    assert (text.code, text.text) == ("Bonus.Points", "Miles")

    assert manager.post(pages.of(text, "delete"), {"post": "yes"}).status_code == 302
    assert "Points for an order" in pages.text(manager.get(pages.of(account)))


def test_has_one_text_for_a_code_in_a_language(manager: Browser, program: Program) -> None:
    manager.post(pages.adding(DescriptionText), form(program))
    answer = manager.post(pages.adding(DescriptionText), form(program, text="Other"))
    assert "has a text for this code in this language already" in pages.text(answer)
    assert DescriptionText.objects.get(program=program).text == "Stars"
