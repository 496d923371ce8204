"""What happens in a shop, and the e-mails that come of it."""

from typing import Any

from django.core import mail
from django.core.mail import EmailMessage

from notices import tasks
from tests.api.v1.client import Client, done


def award(shop: Client, points: float = 120, **more: Any) -> Any:
    body = {"customer_id": "customer-77", "points": points, "reason": "Order reward"}
    return done(shop.post("points/award", body | more), 201)


def run() -> dict[str, int]:
    """The job, as the worker runs it."""
    return tasks.send_notices.call()


def sent() -> list[EmailMessage]:
    """This will run the job, and answer what it sent."""
    before = len(mail.outbox)
    run()
    return mail.outbox[before:]


def subjects() -> list[str]:
    return [str(message.subject) for message in sent()]


def html(message: Any) -> str:
    [alternative] = message.alternatives
    assert alternative.mimetype == "text/html"
    return str(alternative.content)


def link(message: Any) -> str:
    """The path of the page on which the customer unsubscribes."""
    header = message.extra_headers["List-Unsubscribe"]
    assert header.startswith("<http://127.0.0.1:8000/notices/")
    assert header.endswith(">")
    return header[1:-1].removeprefix("http://127.0.0.1:8000")
