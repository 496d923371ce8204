"""What pages for people need and the API does not: it knows neither sessions nor forms, and each of them would cost."""

from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.deprecation import MiddlewareMixin

from loyalty import languages

# Beside the file of an import: what else its form says. Other files are smaller: lists of customers.
_BESIDE_MB = 10
_TOO_LARGE = (
    "<!doctype html><title>Too large</title><h1>Too large</h1><p>A file may have {} MB. Divide it into several."
)


class OnlyPages(MiddlewareMixin):
    """Passes by the middleware that it is mixed into, for the API."""

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(("/api/", "/v1/")) or languages.is_shop(request.path_info):
            return self.get_response(request)
        return super().__call__(request)


class Sizes(OnlyPages, MiddlewareMixin):
    """Refuses a form that is larger than any file that staff bring, before any of it is read: Django would keep it on
    the disk before it knows who sends it."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        size = request.META.get("CONTENT_LENGTH") or "0"
        if size.isdecimal() and int(size) > (settings.IMPORT_MAX_MB + _BESIDE_MB) << 20:
            return HttpResponse(_TOO_LARGE.format(settings.IMPORT_MAX_MB), status=413)
        return None


class Sessions(OnlyPages, SessionMiddleware):
    """Sessions of people."""


class Forms(OnlyPages, CsrfViewMiddleware):
    """Forms that only our own pages may send. No view of the API believes a cookie, so none needs it."""


class Users(OnlyPages, AuthenticationMiddleware):
    """People who are logged in."""


class Messages(OnlyPages, MessageMiddleware):
    """What pages tell people."""
