"""What the first page of the admin tells before all else."""

from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.admin import words
from events.models import WebhookEndpoint
from loyalty import console

MOST = 5


def add(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """This will add what somebody should see to, as far as the member of staff may see it."""
    return context | {"notices": _endpoints_given_up(request)}


def _endpoints_given_up(request: HttpRequest) -> list[SafeString]:
    if not any(request.user.has_perm(f"events.{verb}_webhookendpoint") for verb in ("view", "change")):
        return []
    found = WebhookEndpoint.objects.filter(deleted_at=None, gave_up=True).select_related("program")
    return [
        format_html(
            "An event could not be delivered to {} of {} for three days: since {} nothing is sent there any more.",
            console.link(endpoint, words.endpoint(endpoint)),
            endpoint.program,
            console.moment(endpoint.paused_at, endpoint.program),
        )
        for endpoint in found.order_by("-paused_at", "pk")[:MOST]
    ]
