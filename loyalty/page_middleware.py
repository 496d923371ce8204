"""What pages for people need and the API does not: it knows neither sessions nor forms, and each of them would cost."""

from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.deprecation import MiddlewareMixin

from loyalty import languages


class OnlyPages(MiddlewareMixin):
    """Passes by the middleware that it is mixed into, for the API."""

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith("/api/") or languages.is_shop(request.path_info):
            return self.get_response(request)
        return super().__call__(request)


class Sessions(OnlyPages, SessionMiddleware):
    """Sessions of people."""


class Forms(OnlyPages, CsrfViewMiddleware):
    """Forms that only our own pages may send. No view of the API believes a cookie, so none needs it."""


class Users(OnlyPages, AuthenticationMiddleware):
    """People who are logged in."""


class Messages(OnlyPages, MessageMiddleware):
    """What pages tell people."""
