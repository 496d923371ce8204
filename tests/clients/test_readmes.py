"""What the clients' READMEs show does what they say."""

import re
import subprocess

import pytest
from django.conf import settings

from tests.clients.node import NODE, needs_node

LANGUAGES = {"javascript": "js", "python": "python"}


@pytest.fixture
def alice(customer_with):
    return customer_with(500)


@pytest.fixture
def reward(client):
    return client.rewards.create(name="Coffee", points_cost=200, discount_amount=2)


def blocks(language: str) -> list[str]:
    text = (settings.BASE_DIR / "clients" / language / "README.md").read_text()
    return re.findall(rf"^```{LANGUAGES[language]}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def run_javascript(code: str, service: str, secret: str, **names: str) -> list[str]:
    """What it prints."""
    constants = "".join(f"const {name} = {value!r};\n" for name, value in names.items())
    done = subprocess.run(
        [NODE, "--input-type=module"],
        input=constants + code,
        env={"LOYALTY_URL": service, "LOYALTY_API_SECRET": secret},
        cwd=settings.BASE_DIR / "clients" / "javascript",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def sample(language: str) -> str:
    return next(block for block in blocks(language) if "history" in block)


@needs_node
def test_the_javascript_sample_runs_as_written(service, secret, client, alice, reward):
    before = """
        import { Loyalty } from "./index.js";
        const client = new Loyalty({ baseUrl: process.env.LOYALTY_URL, secret: process.env.LOYALTY_API_SECRET });
    """
    after = "console.log(transaction.points, customer.points_balance, redemption.code, redemption.discount_amount);"
    code = before + sample("javascript") + after
    *told, last = run_javascript(code, service, secret, customer_id=alice.id, reward_id=reward.id)
    assert told[0].startswith("redeemed: -200 points - ")
    assert told[1:] == ["earned: 100 points - Purchase", "earned: 500 points - Welcome"]
    earned, balance, code, discount = last.split()
    assert (earned, balance, discount) == ("100", str(500 + 100), "2")
    assert client.redemptions.retrieve(code).customer_id == alice.id


def test_the_python_sample_runs_as_written(client, alice, reward, capsys):
    names = {"client": client, "customer_id": alice.id, "reward_id": reward.id}
    exec(sample("python"), names)
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("redeemed: -200 points - ")
    assert told[1:] == ["earned: 100 points - Purchase", "earned: 500 points - Welcome"]
    assert names["transaction"].balance_after == names["customer"].points_balance == 500 + 100
    assert names["redemption"].discount_amount == 2
    assert client.redemptions.retrieve(names["redemption"].code).customer_id == alice.id


@needs_node
def test_all_of_the_javascript_readme_runs(service, secret, client, alice, reward):
    code = "\n".join(blocks("javascript"))
    told = run_javascript(code, service, secret, customer_id=alice.id, reward_id=reward.id)
    assert told[-1] == "There are only 400 points."
    assert client.customers.retrieve(alice.id).points_balance == 500 + 100 - 200 + 5


@pytest.fixture
def environment(service, secret, monkeypatch):
    monkeypatch.setenv("LOYALTY_URL", service)
    monkeypatch.setenv("LOYALTY_API_SECRET", secret)


@pytest.mark.usefixtures("environment")
def test_all_of_the_python_readme_runs(client, alice, reward, capsys):
    exec("\n".join(blocks("python")), {"customer_id": alice.id, "reward_id": reward.id})
    assert capsys.readouterr().out.splitlines()[-1] == "There are only 400 points."
    assert client.customers.retrieve(alice.id).points_balance == 500 + 100 - 200 + 5


def test_both_speak_of_the_same(client):
    """Tables of what there is."""
    tables = [
        re.findall(
            r"^\| `([a-z]+)` \| (.*) \|$", (settings.BASE_DIR / "clients" / name / "README.md").read_text(), re.M
        )
        for name in LANGUAGES
    ]
    assert tables[0] == tables[1]
    for part, methods in tables[0]:
        for method in re.findall(r"`(\w+)`", methods):
            assert callable(getattr(getattr(client, part), method))
