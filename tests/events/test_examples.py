"""The receivers of docs/webhooks.md do what they say, as they stand."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from django.conf import settings

from cards.models import Customer
from events.models import Fault
from tests.api.v1.client import Client, done
from tests.clients.node import NODE, needs_node
from tests.events.hooks import award, deliver, deliveries, hook

PATIENCE = 20
TEXT = (settings.BASE_DIR / "docs" / "webhooks.md").read_text()


def example(language: str) -> str:
    [code] = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return code


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def receives(command: list[str], cwd: Path, shop: Client, customer: Customer) -> None:
    """This will run a receiver and see it print each event once, and nothing that others have signed."""
    port = free_port()
    endpoint = hook(shop, f"http://127.0.0.1:{port}/", events=["points.earned"])
    forged = hook(shop, f"http://127.0.0.1:{port}/", events=["points.earned"])
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=os.environ | {"WEBHOOK_SECRET": endpoint["secret"], "PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        _wait_until_it_listens(process, port)
        award(shop, customer)
        deliver()
        [delivery] = deliveries(shop, endpoint)
        done(shop.post(f"webhook-endpoints/{endpoint['id']}/deliveries/{delivery['id']}/redeliver"))
        deliver()
        [again] = deliveries(shop, endpoint)
        assert (delivery["response_status"], again["response_status"], again["attempts"]) == (204, 204, 2)
        assert [one["response_status"] for one in deliveries(shop, forged)] == [401]
    finally:
        process.terminate()
        printed, _ = process.communicate(timeout=PATIENCE)
    assert printed.count(f"points.earned cus_{customer.pk.hex}") == 1


def _wait_until_it_listens(process: subprocess.Popen[str], port: int) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, "it has ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < end, "it does not listen"
            time.sleep(0.05)
        else:
            return


def test_receives_in_python(shop: Client, alice: Customer, tmp_path: Path) -> None:
    receives([sys.executable, "-c", example("python")], tmp_path, shop, alice)


@needs_node
def test_receives_in_node(shop: Client, alice: Customer, node_folder: Path) -> None:
    (node_folder / "receiver.mjs").write_text(example("js"))
    receives([NODE, "receiver.mjs"], node_folder, shop, alice)


def test_names_every_fault() -> None:
    assert [fault for fault in Fault.values if f"`{fault}`" not in TEXT] == []
