"""Files that are written while they are sent."""

import logging
import threading
from collections.abc import Generator, Iterator
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from exchange import writing

logger = logging.getLogger(__name__)

# The last line of a file of which the rest could not be read.
_CUT = "INCOMPLETE: the file breaks off here, since the rest could not be read. Take it again.\r\n"
_RETRY_SECONDS = 30
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# A file keeps a thread for as long as somebody downloads it. One thread of each process is left to tills.
_threads = threading.BoundedSemaphore(max(settings.WEB_THREADS - 1, 1))


def csv_file(request: HttpRequest, columns: tuple[str, ...], rows: Iterator[Any], *, name: str) -> HttpResponseBase:
    """This will answer rows as CSV, or say that too many files are being sent."""
    lines = _told_when_cut(writing.csv_text(columns, rows))
    return _file(request, lines, name=f"{name}.csv", content_type="text/csv; charset=utf-8")


def workbook(request: HttpRequest, columns: tuple[str, ...], rows: Iterator[Any], *, name: str) -> HttpResponseBase:
    """This will answer rows as a workbook, or say that too many files are being sent."""
    # It takes memory that a server which writes no workbook need not have.
    from exchange import workbooks

    return _file(request, workbooks.workbook(columns, rows), name=f"{name}.xlsx", content_type=_XLSX)


class _Sent:
    """The pieces of a file, which has one of the threads that may send files until it is closed."""

    def __init__(self, pieces: Generator[str | bytes]) -> None:
        self._pieces = pieces
        self._is_open = True

    def __iter__(self) -> "_Sent":
        return self

    def __next__(self) -> str | bytes:
        try:
            return next(self._pieces)
        except Error:
            # The server tells that something was raised, but not by which request.
            logger.warning("a file broke off")
            raise

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            _threads.release()
            self._pieces.close()

    # An answer that nobody begins to read is never closed.
    __del__ = close


def _file(request: HttpRequest, pieces: Generator[str | bytes], *, name: str, content_type: str) -> HttpResponseBase:
    if not _threads.acquire(blocking=False):
        busy = render(request, "busy.html", status=HTTPStatus.SERVICE_UNAVAILABLE)
        busy["Retry-After"] = str(_RETRY_SECONDS)
        return busy
    answer = StreamingHttpResponse(_Sent(pieces), content_type=content_type)
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    # Nobody on the way is to keep it.
    answer["Cache-Control"] = "no-store"
    return answer


def _told_when_cut(lines: Iterator[str]) -> Generator[str]:
    """This will end lines that break off with one that says so.

    The server would answer them as whole, and what is left of a table looks like a table. What is left of a workbook
    looks like none: its contents stand at its end.
    """
    try:
        yield from lines
    except Exception:
        # Whatever it was: what is cut must not look whole. It is raised on.
        yield _CUT
        raise
