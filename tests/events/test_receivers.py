"""Whatever a receiver does, it is told by its delivery, and nobody else waits for it."""

import contextlib
import datetime
import ipaddress
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings as project
from django.utils import timezone
from pytest_django.fixtures import Settings

from cards.models import Customer
from events import addresses, courier, sending, tasks
from tests.api.v1.client import Client
from tests.events.hooks import award, deliver, deliveries, hook
from tests.events.receivers import Conduct, Handler, Seen, receiving
from tests.factories import CustomerFactory

METADATA = "169.254.169.254"
PATIENCE = 20


def outcome(shop: Client, endpoint: dict[str, Any]) -> tuple[str, str | None, int | None]:
    [delivery] = deliveries(shop, endpoint)
    return delivery["status"], delivery["error"], delivery["response_status"]


def sent_to(url: str, shop: Client, customer: Customer) -> dict[str, Any]:
    """This will try an address and answer the delivery."""
    endpoint = hook(shop, url)
    award(shop, customer)
    deliver()
    [delivery] = deliveries(shop, endpoint)
    return delivery


Known = dict[str, list[list[str]]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Known:
    """What names lead to, look-up by look-up; the last one stays."""
    known: Known = {}
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if host not in known:
            return real(host, port, *args, **options)
        answers = known[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def named(url: str, host: str = "hook.example") -> str:
    return url.replace("127.0.0.1", host)


def test_tells_what_was_answered(shop: Client, alice: Customer) -> None:
    def conduct(handler: Handler, _: Seen) -> None:
        handler.answer(500, b"\0 out of \xff order \xf0\x9f\x8c\x9e" + b"x" * 5000)

    with receiving(conduct) as receiver:
        delivery = sent_to(receiver.url, shop, alice)
    assert (delivery["status"], delivery["error"], delivery["response_status"]) == ("failed", "status", 500)
    assert delivery["response_body"].startswith("\ufffd out of \ufffd order 🌞xxx")
    assert len(delivery["response_body"].encode()) <= 1_010
    assert (delivery["attempts"], delivery["delivered_at"]) == (1, None)
    assert 0 <= delivery["duration_ms"] < 10_000


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_follows_no_redirect(shop: Client, alice: Customer, status: int) -> None:
    with receiving() as inside:

        def conduct(handler: Handler, _: Seen) -> None:
            handler.answer(status, Location=inside.url)

        with receiving(conduct) as receiver:
            delivery = sent_to(receiver.url, shop, alice)
        assert (delivery["status"], delivery["error"], delivery["response_status"]) == ("failed", "redirect", status)
        assert not inside.seen


def test_reads_no_more_than_a_little(shop: Client, alice: Customer) -> None:
    written = []

    def conduct(handler: Handler, _: Seen) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(100_000_000))
        handler.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(100):
                handler.wfile.write(b"x" * 1_000_000)
                written.append(1_000_000)
        handler.close_connection = True

    with receiving(conduct) as receiver:
        delivery = sent_to(receiver.url, shop, alice)
    assert (delivery["status"], len(delivery["response_body"])) == ("delivered", 1_000)
    assert sum(written) < 20_000_000


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One second in all, not ten."""
    monkeypatch.setattr(sending, "SECONDS", 1)


def hang(_: Handler, __: Seen) -> None:
    time.sleep(3)


def drip(handler: Handler, _: Seen) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(30):
            handler.wfile.write(b".")
            time.sleep(0.1)


def drip_headers(handler: Handler, _: Seen) -> None:
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(30):
            handler.wfile.write(b"X-%d: y\r\n" % number)
            time.sleep(0.1)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("conduct", [hang, drip, drip_headers])
def test_waits_for_so_long_in_all(shop: Client, alice: Customer, conduct: Conduct) -> None:
    with receiving(conduct) as receiver:
        delivery = sent_to(receiver.url, shop, alice)
    assert (delivery["status"], delivery["error"]) == ("failed", "timeout")
    assert 900 <= delivery["duration_ms"] < 2_500


def test_waits_for_ten_seconds() -> None:
    assert sending.SECONDS == 10


def garble(handler: Handler, _: Seen) -> None:
    handler.wfile.write(b"this is no HTTP\r\n\r\n")
    handler.close_connection = True


def flood(handler: Handler, _: Seen) -> None:
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"y" * 10_000_000)
    handler.close_connection = True


def hang_up(handler: Handler, _: Seen) -> None:
    handler.close_connection = True


@pytest.mark.parametrize("conduct", [garble, flood, hang_up])
def test_fails_where_the_answer_is_none(shop: Client, alice: Customer, conduct: Conduct) -> None:
    with receiving(conduct) as receiver:
        delivery = sent_to(receiver.url, shop, alice)
    assert (delivery["status"], delivery["error"]) == ("failed", "answer_unreadable")


def test_fails_where_nobody_listens(shop: Client, alice: Customer) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/"
        assert sent_to(url, shop, alice)["error"] == "connection_failed"


def test_fails_where_nobody_speaks_tls(shop: Client, alice: Customer) -> None:
    with receiving() as receiver:
        assert sent_to(receiver.url.replace("http:", "https:"), shop, alice)["error"] == "tls_failed"


def test_fails_where_nobody_vouches_for_the_certificate(shop: Client, alice: Customer, tmp_path: Path) -> None:
    with receiving() as receiver:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certified("localhost", tmp_path))
        receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
        url = receiver.url.replace("http://127.0.0.1", "https://localhost")
        assert sent_to(url, shop, alice)["error"] == "tls_failed"
        assert not receiver.seen


def test_takes_a_certificate_of_an_authority_that_the_machine_trusts(
    shop: Client, alice: Customer, names: Known, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certified("hook.example", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sending._trusted.cache_clear()
    try:
        with receiving() as receiver:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
            url = receiver.url.replace("http:", "https:")
            for host, error in (("hook.example", None), ("hook2.example", "tls_failed")):
                names[host] = [["127.0.0.1"]]
                assert sent_to(named(url, host), shop, alice)["error"] == error
    finally:
        sending._trusted.cache_clear()


def certified(host: str, folder: Path) -> Path:
    """This will make a certificate that nobody but its owner has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = timezone.now()
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*plain) + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def test_calls_no_address_within(shop: Client, alice: Customer, names: Known) -> None:
    names["hook.example"] = [[METADATA]]
    delivery = sent_to("http://hook.example/", shop, alice)
    assert (delivery["status"], delivery["error"], delivery["response_status"]) == ("failed", "address_refused", None)


def test_opens_no_connection_to_an_address_that_is_refused(
    shop: Client, alice: Customer, names: Known, settings: Settings
) -> None:
    settings.WEBHOOKS_ALLOW_LOOPBACK = False
    with receiving() as receiver:
        names["hook.example"] = [["127.0.0.1"]]
        endpoints = [hook(shop, url) for url in (receiver.url, named(receiver.url), named(receiver.url, "localhost"))]
        award(shop, alice)
        deliver()
        assert [outcome(shop, endpoint) for endpoint in endpoints] == [("failed", "address_refused", None)] * 3
        assert receiver.connections == 0


def test_sees_a_name_that_leads_elsewhere_the_second_time(shop: Client, alice: Customer, names: Known) -> None:
    with receiving() as receiver:
        # The look-up that is judged is the one that is called.
        names["hook.example"] = [["127.0.0.1"], [METADATA]]
        endpoint = hook(shop, named(receiver.url))
        award(shop, alice)
        deliver()
        assert len(receiver.seen) == 1
        assert receiver.seen[0].headers["host"] == f"hook.example:{receiver.server_port}"
        time.sleep(1.2)  # until the connection is given up
        award(shop, alice)
        deliver()
    assert [one["error"] for one in deliveries(shop, endpoint)] == ["address_refused", None]


def test_calls_that_of_several_addresses_which_may_be_called(shop: Client, alice: Customer, names: Known) -> None:
    with receiving() as receiver:
        names["hook.example"] = [[METADATA, "10.0.0.1", "127.0.0.2", "127.0.0.1"]]
        assert sent_to(named(receiver.url), shop, alice)["status"] == "delivered"


@pytest.fixture
def silent() -> Iterator[int]:
    """A port of 127.0.0.2 that lets nobody in and says nothing: its queue is full."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.2", 0))
        server.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def test_fails_where_the_address_is_silent(
    shop: Client, alice: Customer, silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "_SECONDS_EACH", 0.5)
    assert sent_to(f"http://127.0.0.2:{silent}/", shop, alice)["error"] == "timeout"


def test_goes_on_to_the_next_address_where_one_is_silent(
    shop: Client, alice: Customer, silent: int, names: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "_SECONDS_EACH", 0.5)
    names["hook.example"] = [["127.0.0.2", "127.0.0.1"]]
    with receiving(port=silent):
        delivery = sent_to(f"http://hook.example:{silent}/", shop, alice)
    assert delivery["status"] == "delivered"
    assert delivery["duration_ms"] >= 500


def test_fails_where_the_name_leads_nowhere(shop: Client, alice: Customer, names: Known) -> None:
    names["hook.example"] = [[]]
    assert sent_to("http://hook.example/", shop, alice)["error"] == "name_not_found"


@pytest.mark.usefixtures("_impatient")
def test_does_not_wait_for_a_name_server(shop: Client, alice: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(4) or [])
    began = time.monotonic()
    assert sent_to("http://hook.example/", shop, alice)["error"] == "timeout"
    assert time.monotonic() - began < 4


REFUSED = [
    *("192.0.0.192", "192.88.99.1", "168.63.129.16", "2001::1", "3fff::1"),
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    METADATA,
    "172.16.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    f"::ffff:{METADATA}",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2001:db8::1",
    "2002:a9fe:a9fe::1",
    "2002:7f00:1::",
    "fc00::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("text", REFUSED)
def test_refuses_what_is_not_public(text: str, settings: Settings) -> None:
    settings.WEBHOOKS_ALLOW_LOOPBACK = False
    assert not addresses.may_call(ipaddress.ip_address(text))
    settings.WEBHOOKS_ALLOW_PRIVATE = True
    assert addresses.may_call(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_takes_what_is_public(text: str, settings: Settings) -> None:
    settings.WEBHOOKS_ALLOW_LOOPBACK = False
    assert addresses.may_call(ipaddress.ip_address(text))


def test_takes_loopback_alone_where_that_is_allowed(settings: Settings) -> None:
    settings.WEBHOOKS_ALLOW_LOOPBACK = True
    taken = {text for text in REFUSED if addresses.may_call(ipaddress.ip_address(text))}
    assert taken == {"127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "2002:7f00:1::"}


def test_is_unlike_proxies_and_credentials_of_the_environment(
    shop: Client, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    with receiving() as receiver:
        assert sent_to(receiver.url, shop, alice)["status"] == "delivered"
        assert "authorization" not in receiver.seen[0].headers


def test_keeps_nobody_else_waiting(shop: Client, alice: Customer, stranger: Client) -> None:
    bob = CustomerFactory(program=stranger.program)
    stop = courier.Stop()

    waits = []
    with contextlib.ExitStack() as stack:
        for _ in range(15):
            hook(stranger, stack.enter_context(receiving(lambda *_: time.sleep(8))).url)
        quick = stack.enter_context(receiving())
        hook(shop, quick.url)
        worker = threading.Thread(target=lambda: courier.deliver(writers=tasks.WRITERS, seconds=60, stop=stop))
        worker.start()
        for _ in range(5):
            for _ in range(3):
                award(stranger, bob)
            came, asked = len(quick.seen), time.monotonic()
            award(shop, alice)
            while len(quick.seen) == came:
                assert time.monotonic() - asked < PATIENCE, "it does not come"
                time.sleep(0.01)
            waits.append(time.monotonic() - asked)
        stop.set()
        worker.join(PATIENCE)
        assert not worker.is_alive()
    assert max(waits) < 3, waits


def test_logs_neither_secrets_nor_addresses(shop: Client, alice: Customer, caplog: pytest.LogCaptureFixture) -> None:
    project_level = project.LOGGING["loggers"]["httpcore"]["level"]
    assert project_level == "WARNING"
    with caplog.at_level(logging.DEBUG), receiving(500) as receiver:
        endpoint = hook(shop, f"{receiver.url}?token=word-of-the-shop")
        award(shop, alice)
        deliver()
    for word in (endpoint["secret"], endpoint["secret"][6:], "word-of-the-shop", "v1,"):
        assert word not in caplog.text
