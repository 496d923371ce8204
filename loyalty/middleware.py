"""What every request passes, whatever its path."""

import contextvars
import io
import logging
import re
from collections.abc import Callable

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from loyalty import ids

Handler = Callable[[HttpRequest], HttpResponseBase]

# The longest body that any path takes (bulk); the rest are shorter, see `loyalty.api.parsers`.
LARGEST_BODY = 2 * 1024 * 1024

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")


def name_request(get_response: Handler) -> Handler:
    """This will give the request an id, or keep the one that a proxy gave it, and answer with it."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id.set(given if _WELL_FORMED.fullmatch(given) else ids.new_id().hex)
        response = get_response(request)
        response.headers["X-Request-Id"] = request_id.get()
        if isinstance(response, HttpResponse) and "Content-Length" not in response.headers:
            # Otherwise the server would send the answer in chunks.
            response.headers["Content-Length"] = str(len(response.content))
        return response

    return middleware


def read_chunked_body(get_response: Handler) -> Callable[[WSGIRequest], HttpResponseBase]:
    """This will read a body that comes without its length, as far as the largest that is taken.

    Django reads as many bytes as CONTENT_LENGTH says and takes such a body for an empty one.
    """

    def middleware(request: WSGIRequest) -> HttpResponseBase:
        coding = request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
        if not request.META.get("CONTENT_LENGTH") and "chunked" in coding:
            body = request.environ["wsgi.input"].read(LARGEST_BODY + 1)
            request.META["CONTENT_LENGTH"] = str(len(body))
            request._stream = io.BytesIO(body)
        return get_response(request)

    return middleware


class RequestIdFilter(logging.Filter):
    """Gives every log line the id of the request that it was written for, as `%(request_id)s`."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True
