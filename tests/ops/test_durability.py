"""An acknowledged posting must survive a crash: the service says so when the database does not promise it."""

import logging

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection

from loyalty import durability


@pytest.fixture
def forgetful(as_served):
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        yield
        cursor.execute("RESET synchronous_commit")


def test_finds_nothing_wrong_with_the_embedded_database(as_served):
    assert durability.problems() == []


def test_names_the_setting_and_what_could_be_lost(forgetful):
    assert durability.problems() == [f"synchronous_commit is off: {durability.SAFE['synchronous_commit']}"]


def test_is_loud_when_a_worker_starts(forgetful, caplog):
    durability.warn()
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]
    assert "ACKNOWLEDGED POSTINGS COULD BE LOST" in caplog.text


def test_fails_the_check(forgetful):
    with pytest.raises(SystemCheckError, match=r"loyalty\.E001"):
        call_command("check", databases=["default"])
