"""The one place where a refusal or a fault becomes an answer, in the shape of the face it happened in."""

import logging
import sys
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views import defaults
from rest_framework import exceptions

from loyalty import errors, languages, middleware
from loyalty.api import parsers, refusals, renderers, serializers

logger = logging.getLogger(__name__)


# Pages for people, which Django words.
_PAGES = "/admin/"
_V1 = "/v1/"
_V3 = "/api/v3/"
_AWAY = "<!doctype html><title>One moment</title><h1>One moment</h1><p>The database does not answer. Try again shortly."


def handle(exception: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """This will answer what a view raised; None lets an unexpected fault go on to `internal_error`."""
    refusal = _refusal(exception)
    if isinstance(refusal, errors.Unavailable):
        # The caller is not told why; the log is.
        logger.warning("Unavailable: %s", exception.__cause__ or exception)
    return None if refusal is None else answer(refusal, context["request"].path)


def answer(refusal: errors.Refusal, path: str) -> HttpResponse:
    """This will answer a refusal in the shape of the face that the path belongs to."""
    status, told = _shape(path)(refusal)
    response = HttpResponse(renderers.dumps(told), status=status, content_type=renderers.JSONRenderer.media_type)
    if "retry_after" in refusal.facts:
        response.headers["Retry-After"] = str(refusal.facts["retry_after"])
    if refusal.status == errors.Unauthorized.status:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """This will answer a request that Django itself finds malformed."""
    if request.path.startswith(_PAGES):
        return defaults.bad_request(request, exception)
    return answer(_malformed(), request.path)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """This will answer what Django itself forbids."""
    if request.path.startswith(_PAGES):
        return defaults.permission_denied(request, exception)
    return answer(errors.Forbidden([]), request.path)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """This will answer a path that leads nowhere."""
    if request.path.startswith(_PAGES):
        return defaults.page_not_found(request, exception)
    return answer(errors.NotFound(), request.path)


def internal_error(request: HttpRequest) -> HttpResponseBase:
    """This will answer a fault that nobody foresaw; Django has logged it with the request's id."""
    if request.path.startswith(_PAGES):
        if isinstance(sys.exception(), OperationalError | InterfaceError):
            return HttpResponse(_AWAY, status=errors.Unavailable.status, headers={"Retry-After": "1"})
        return defaults.server_error(request)
    return answer(errors.InternalError(middleware.request_id.get()), request.path)


def _shape(path: str) -> refusals.Shape:
    if languages.is_shop(path):
        return refusals.shop
    if f"{path}/".startswith(_V1):
        return refusals.v1
    # A path of no face answers like the first one.
    return refusals.v3 if f"{path}/".startswith(_V3) else refusals.management


def _malformed() -> errors.Refusal:
    return errors.Malformed({"request": [_("Malformed.")]})


def _refusal(exception: Exception) -> errors.Refusal | None:
    match exception:
        case errors.Refusal():
            return exception
        case exceptions.ValidationError():
            return serializers.refusal(exception.detail)
        case exceptions.MethodNotAllowed():
            return errors.MethodNotAllowed()
        case exceptions.UnsupportedMediaType():
            return errors.UnsupportedMediaType()
        case Http404() | exceptions.NotFound():
            return errors.NotFound()
        case PermissionDenied() | exceptions.PermissionDenied():
            return errors.Forbidden([])
        case RequestDataTooBig():
            return errors.BodyTooLarge(maximum_size=parsers.MAX_BODY)
        case SuspiciousOperation() | UnreadablePostError() | exceptions.ParseError():
            return _malformed()
        # The server cannot be reached, or gave up on a lock or a statement.
        case OperationalError() | InterfaceError():
            return errors.Unavailable()
        case _:
            return None
