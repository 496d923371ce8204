"""Which language an answer speaks: the paths of the shop face begin with it, everything else speaks English."""

import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation

CODES = tuple(code for code, _ in settings.LANGUAGES)

_SHOP = re.compile(r"/(?!api/|admin/|v1/)([^/]+)/shop(?:/|$)")


class LocaleConverter:
    """The first part of the shop face's paths: a language that is spoken here."""

    regex = "|".join(CODES)

    def to_python(self, value: str) -> str:
        """This will answer the part as it is."""
        return value

    def to_url(self, value: str) -> str:
        """This will answer the part as it is."""
        return value


def is_shop(path: str) -> bool:
    """This will say whether a path is one of the shop face, in whatever language, also in one that nobody speaks."""
    return _SHOP.match(path) is not None


def speak(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """This will answer the shop face's requests in the language of their path."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        shop = _SHOP.match(request.path_info)
        if shop is None:
            return get_response(request)
        language = shop[1] if shop[1] in CODES else settings.LANGUAGE_CODE
        # The thread serves another request next, perhaps one that speaks English.
        with translation.override(language, deactivate=True):
            response = get_response(request)
        response.headers["Content-Language"] = language
        return response

    return middleware
