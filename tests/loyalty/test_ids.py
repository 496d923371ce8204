import uuid

import pytest

from loyalty import ids

KEY = uuid.UUID("0192f3a1-c7e8-7d3a-b0c4-d5e6f7a8b9c0")


def test_are_made_in_order() -> None:
    made = [ids.new_id() for _ in range(1000)]
    assert made == sorted(made)
    assert {key.version for key in made} == {7}


def test_are_read_as_they_are_written() -> None:
    assert ids.public("txn", KEY) == "txn_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0"
    assert ids.parse("txn", ids.public("txn", KEY)) == KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "txn",
        "txn_",
        "card_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0",
        "txn_0192F3A1C7E87D3AB0C4D5E6F7A8B9C0",
        "txn_0192f3a1c7e87d3ab0c4d5e6f7a8b9c",
        "txn_0192f3a1c7e87d3ab0c4d5e6f7a8b9c00",
        "txn_0192f3a1-c7e8-7d3a-b0c4-d5e6f7a8b9c0",
        "txn_0192f3a1c7e87d3ab0c4d5e6f7a8b9cg",
        "txn_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0\n",
    ],
)
def test_are_not_read_from_anything_else(text: str) -> None:
    assert ids.parse("txn", text) is None
