"""`manage.py translate`: brings the texts in `locale/` up to date with the code, and compiles them."""

import io
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from loyalty import languages

KEYWORDS = {**DEFAULT_KEYWORDS, "gettext_noop": None, "gettext_lazy": None, "ngettext_lazy": (1, 2)}
FOLDER = Path(settings.BASE_DIR) / "locale"


class Command(BaseCommand):
    """Reads the texts out of the code, adds those that are new to every language, and compiles each."""

    help = "Bring locale/ up to date with the texts in the code, and compile it."

    def handle(self, *args: Any, **options: Any) -> None:
        """This will write the catalogues; English says what the code says.

        Raises:
            CommandError: a language lacks translations; they are named, and the rest is compiled.
        """
        missing = []
        for language in languages.CODES:
            catalog = read(language)
            catalog.update(extracted(), no_fuzzy_matching=True, update_creation_date=False)
            catalog.obsolete.clear()
            if language == settings.LANGUAGE_CODE:
                _fill(catalog)
            _update(catalog_path(language), _written(catalog))
            _update(catalog_path(language).with_suffix(".mo"), compiled(catalog))
            missing += [f"{language}: {message.id}" for message in lacking(catalog)]
        if missing:
            raise CommandError("no translation in locale/ for\n" + "\n".join(missing))


def catalog_path(language: str) -> Path:
    """This will answer where a language's texts are."""
    return FOLDER / language / "LC_MESSAGES" / "django.po"


def extracted() -> Catalog:
    """This will read the texts that are marked in our code."""
    catalog = Catalog()
    ours = [app.path for app in apps.get_app_configs() if Path(app.path).parent == Path(settings.BASE_DIR)]
    for folder in sorted(ours):
        for name, _, text, _, context in extract_from_dir(folder, [("**.py", "python")], keywords=KEYWORDS):
            catalog.add(text, locations=[(f"{Path(folder).name}/{name}", 0)], context=context)
    return catalog


def read(language: str) -> Catalog:
    """This will read a language's texts as translators left them."""
    with catalog_path(language).open("rb") as file:
        return read_po(file, locale=language)


def compiled(catalog: Catalog) -> bytes:
    """This will answer a catalogue as the service reads it."""
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def lacking(catalog: Catalog) -> list[Message]:
    """This will answer the texts that are not translated, or not in every plural form, or only nearly."""
    return [message for message in catalog if message.id and (message.fuzzy or not all(_forms(catalog, message)))]


def _forms(catalog: Catalog, message: Message) -> list[str]:
    if not message.pluralizable:
        return [str(message.string or "")]
    forms = list(message.string or ())
    return forms + [""] * (catalog.num_plurals - len(forms))


def _fill(catalog: Catalog) -> None:
    for message in catalog:
        if message.id:
            message.string = message.id


def _update(path: Path, content: bytes) -> None:
    # A service that starts meanwhile must not find half of a file that is as it was.
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)


def _written(catalog: Catalog) -> bytes:
    file = io.BytesIO()
    # Without line numbers, which every change of the code would change.
    write_po(file, catalog, width=120, sort_output=True, include_lineno=False)
    return file.getvalue()
