"""What the command is told."""

import pytest
from django.core.management import CommandError

from loyalty.models import Program
from tests.points.importing.shop import ALICE_AND_BOB


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": "0"}, "a number above zero"),
        ({"rate": "-1"}, "a number above zero"),
        ({"rate": "NaN"}, "a number above zero"),
        ({"source": "no spaces"}, "letters, digits"),
        ({"shift_to": "yesterday"}, "a date such as"),
        ({"shift_to": "0001-01-01"}, "a date from 1900 on"),
        ({"definition": "miles"}, "no such definition"),
    ],
)
def test_refuses_options_that_make_no_sense(shop, options, message):
    with pytest.raises(CommandError, match=message):
        shop.run(ALICE_AND_BOB, **options)
    assert shop.entries() == []


def test_refuses_a_programme_that_is_not_there(shop):
    shop.program = Program(slug="nowhere")
    with pytest.raises(CommandError, match="there is no programme nowhere"):
        shop.run(ALICE_AND_BOB)


def test_does_not_overwrite_the_file_of_purchases(shop):
    shop.rejects = shop.file
    with pytest.raises(CommandError, match="names the file of purchases itself"):
        shop.run(ALICE_AND_BOB)
    assert shop.file.read_text() == ALICE_AND_BOB


def test_shows_no_progress_bar_where_nobody_looks(shop, capsys):
    shop.run(ALICE_AND_BOB)
    assert capsys.readouterr().err == ""
