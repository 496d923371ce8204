"""The same call always gets the same answer: each refusal comes before all that are named after it."""

import pytest

from loyalty.models import Program
from tests.api.management.till import Till, data, error

UNKNOWN = "card_" + "0" * 32


@pytest.fixture
def exhausted(program: Program, till: Till) -> Till:
    """A till whose card is blocked and whose account has had its postings of this minute; `k1` was an award of 1."""
    program.transaction_limit = 1
    program.save(update_fields=["transaction_limit"])
    data(till.award(1, key="k1"), 201)
    data(till.post(f"loyalty-cards/{till.card_id}/block", {"reason": "Stolen"}), 200)
    return till


def test_of_a_redemption(program: Program, exhausted: Till) -> None:
    till = exhausted
    # Wrong in every way at once; then one fault less each time.
    reader = Till(program, till.card, scopes=["points:read"])
    wrong = {"card_id": UNKNOWN, "points": 1000}
    with_credentials = reader.client._credentials
    reader.client.credentials()
    error(reader.post("points/redeem", wrong, key="k1"), 401, "UNAUTHORIZED")
    reader.client.credentials(**with_credentials)
    error(reader.post("points/redeem", wrong, key="k1"), 403, "FORBIDDEN")
    error(till.post("points/redeem", wrong, key="k1"), 400, "INVALID_PARAMETERS")
    error(till.redeem(1000, card_id=UNKNOWN, key="k1"), 404, "CARD_NOT_FOUND")
    error(till.redeem(1000, key="k1"), 422, "IDEMPOTENCY_KEY_REUSED")
    error(till.redeem(1000), 403, "CARD_BLOCKED")
    data(till.post(f"loyalty-cards/{till.card_id}/unblock", {"reason": "Found"}), 200)
    error(till.redeem(1000), 429, "TRANSACTION_LIMIT_EXCEEDED")
    program.transaction_limit = None
    program.save(update_fields=["transaction_limit"])
    error(till.redeem(1000), 400, "INSUFFICIENT_POINTS")
    data(till.redeem(1), 201)


def test_of_a_replay(exhausted: Till) -> None:
    answer = exhausted.award(1, key="k1")
    assert data(answer, 201)["new_balance"] == 1
    assert answer.headers["Idempotent-Replayed"] == "true"


def test_of_a_reversal(exhausted: Till) -> None:
    error(exhausted.reverse("txn_" + "0" * 32, points=0), 400, "INVALID_POINTS")
    error(exhausted.reverse("txn_" + "0" * 32), 404, "TRANSACTION_NOT_FOUND")


def test_of_a_card(exhausted: Till) -> None:
    error(exhausted.post(f"loyalty-cards/{UNKNOWN}/block", {}), 400, "INVALID_PARAMETERS")
    error(exhausted.post(f"loyalty-cards/{UNKNOWN}/block", {"reason": "Stolen"}), 404, "CARD_NOT_FOUND")
    replaced = data(exhausted.post(f"loyalty-cards/{exhausted.card_id}/replace", {"reason": "Lost"}, key="r1"), 201)
    again = exhausted.post(f"loyalty-cards/{exhausted.card_id}/replace", {"reason": "Lost"}, key="r1")
    assert data(again, 201) == replaced
    error(exhausted.post(f"loyalty-cards/{exhausted.card_id}/replace", {"reason": "Lost"}), 409, "CARD_REPLACED")
