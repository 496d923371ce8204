import pytest
from django.utils import translation

from loyalty.models import Program
from points import descriptions, reasons
from points.models import DescriptionCode, DescriptionText
from tests.api.v3.system import System, done


@pytest.fixture(autouse=True)
def accounts(usual: System) -> None:
    usual.open()


def texts(system: System, language: str) -> list[str]:
    rows = done(system.get("point-transactions", id=system.account_id, lang=language, sortOrder="asc"))["items"]
    return [row["descriptionText"] for row in rows]


def test_tells_codes_in_either_language_and_leaves_other_words(usual: System) -> None:
    for description in ("@@(Bonus.Points)", "Order 77", "@@(Bonus.DeductionForReturn): jeans", "@@(Unknown)", "@@("):
        usual.add(1, description=description)
    assert texts(usual, "en") == ["Points", "Order 77", "Points taken back for a return: jeans", "@@(Unknown)", "@@("]
    assert texts(usual, "lt")[:2] == ["Taškai", "Order 77"]
    assert "descriptionText" not in usual.told_list()["items"][0]


def test_tells_the_programmes_own_texts(program: Program, usual: System, stranger: System) -> None:
    DescriptionText.objects.create(program=program, code="Bonus.Points", language="lt", text="Žvaigždutės")
    for system in (usual, stranger):
        system.open()
        system.add(1)
    assert (texts(usual, "lt"), texts(usual, "en"), texts(stranger, "lt")) == (["Žvaigždutės"], ["Points"], ["Taškai"])


def test_tells_one_transaction_in_a_language(usual: System) -> None:
    made = done(usual.add(1), 202)
    assert done(usual.get(f"point-transactions/{made['id']}", lang="lt"))["descriptionText"] == "Taškai"


def test_has_a_text_for_every_code_in_every_language() -> None:
    for language in ("en", "lt"):
        told = {code: descriptions.default(code, language) for code in DescriptionCode.values}
        assert all(told.values())
        assert len(set(told.values())) == len(told)
    with translation.override("en"):
        assert descriptions.default("RemovedDueToTimeLimit", "en") == reasons.EXPIRED
