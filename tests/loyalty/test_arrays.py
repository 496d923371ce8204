"""Arrays that the service writes itself, as the server reads them."""

import datetime
import uuid
from decimal import Decimal

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from loyalty.postgres import arrays

# What the server cannot store in a text, and what is no character alone.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))

pytestmark = pytest.mark.django_db


def read(kind: str, literal: str) -> list:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT %s::{kind}[]", [literal])
        return cursor.fetchone()[0]


@given(st.lists(st.none() | TEXTS))
def test_are_read_as_the_texts_that_were_written(texts):
    assert read("text", arrays.literal(texts)) == texts


@pytest.mark.parametrize("text", ["", "null", "NULL", "{}", ",", '"', "\\", '\\"', "a\nb\tc\rd\x1f", "ąčę €", " "])
def test_are_read_as_each_text_that_means_something_in_an_array(text):
    assert read("text", arrays.literal([text, None, text])) == [text, None, text]


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("uuid", [uuid.UUID(int=7), None]),
        ("numeric", [Decimal("-0.10"), Decimal("1E+3"), None, 12]),
        ("bigint", [2**62, -1]),
        ("boolean", [True, None, False]),
        ("timestamptz", [datetime.datetime(2026, 3, 29, 3, 30, 0, 1, datetime.UTC), None]),
        ("jsonb", ['{"a\\\\b": "1\\"2\\n"}', None, "{}"]),
        ("text", []),
    ],
)
def test_are_read_as_what_was_written_of_other_kinds(kind, members):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT %s::{'text' if kind == 'jsonb' else kind}[]::{kind}[]", [members])
        assert read(kind, arrays.literal(members)) == cursor.fetchone()[0]
