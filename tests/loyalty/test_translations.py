"""The texts in `locale/` are those of the code, whole in every language, and compiled as they stand."""

from pathlib import Path

import django
import pytest
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.management import call_command
from django.utils import translation
from django.utils.translation import ngettext

from loyalty import languages
from loyalty.management.commands import translate

every_language = pytest.mark.parametrize("language", languages.CODES)


@every_language
def test_lack_no_translation(language: str) -> None:
    catalog = translate.read(language)
    assert len(catalog) > 50
    assert not [message.id for message in translate.lacking(catalog)]


@every_language
def test_are_all_that_the_code_has_and_no_others(language: str) -> None:
    known = {(message.context, message.id) for message in translate.read(language) if message.id}
    assert known == {(message.context, message.id) for message in translate.extracted() if message.id}


@every_language
def test_are_compiled_as_they_stand(language: str) -> None:
    path = translate.catalog_path(language)
    assert path.with_suffix(".mo").read_bytes() == translate.compiled(translate.read(language))


@every_language
def test_keep_the_names_that_the_code_fills_in(language: str) -> None:
    for message in translate.read(language):
        assert not list(message.check(translate.read(language))), message.id


def test_say_in_english_what_the_code_says() -> None:
    for message in translate.read("en"):
        assert message.string == message.id or not message.id


def test_have_the_plural_forms_that_django_has_for_lithuanian() -> None:
    ours = translate.read("lt")
    with (Path(django.__file__).parent / "conf/locale/lt/LC_MESSAGES/django.po").open("rb") as file:
        theirs = read_po(file)
    assert (ours.num_plurals, ours.plural_expr) == (theirs.num_plurals, theirs.plural_expr)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "Daugiausia 0 simbolių."),
        (1, "Daugiausia 1 simbolis."),
        (2, "Daugiausia 2 simboliai."),
        (9, "Daugiausia 9 simboliai."),
        (10, "Daugiausia 10 simbolių."),
        (11, "Daugiausia 11 simbolių."),
        (12, "Daugiausia 12 simbolių."),
        (20, "Daugiausia 20 simbolių."),
        (21, "Daugiausia 21 simbolis."),
        (255, "Daugiausia 255 simboliai."),
        (111, "Daugiausia 111 simbolių."),
    ],
)
def test_count_as_lithuanian_does(count: int, text: str) -> None:
    with translation.override("lt"):
        assert (
            ngettext("At most %(count)s character.", "At most %(count)s characters.", count) % {"count": count} == text
        )


def test_change_nothing_when_they_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    def files() -> dict[Path, tuple[bytes, int]]:
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in translate.FOLDER.rglob("django.*")}

    before = files()
    call_command("translate")
    assert files() == before


def test_are_there_for_every_language_of_the_settings() -> None:
    assert languages.CODES == tuple(code for code, _ in settings.LANGUAGES) == ("en", "lt")
