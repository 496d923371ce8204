"""What words mean on the shop face that mean something else on the others, or that only it has."""

from collections.abc import Mapping
from typing import Any

# By name, what it means and an example of it.
WORDS: Mapping[str, tuple[str, Any]] = {
    "card_id": ("The number of a card in this API.", 1043),
    "id": ("Its number in this API.", 12345),
    "message": ("What became of it, in the language of the path.", "Points awarded successfully"),
}
