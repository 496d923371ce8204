"""What words mean on the shop face that mean something else on the others, or that only it has."""

from collections.abc import Mapping
from typing import Any

# By name, what it means and an example of it.
WORDS: Mapping[str, tuple[str, Any]] = {
    "card_id": ("The number of a card in this API.", 1043),
    "code": ("The code of the refusal.", "VALIDATION_ERROR"),
    "currency": ("The programme's currency.", "EUR"),
    "expires_at": ("When it ends; null: never.", "2027-01-02T15:45:00Z"),
    "id": ("Its number in this API.", 12345),
    "key_id": ("The id of the API key.", "key_5f1d7a84c0"),
    "maximum_size": ("How many bytes it may have.", 1048576),
    "message": ("What became of it, in the language of the path.", "Points awarded successfully"),
    "program": ("The programme's name.", "Corner Shop"),
    "request_id": ("Names the request in the service's log.", "0192f3a1c7e87d3ab0c4d5e6f7a8b9c0"),
    "required_permissions": ("The scopes that the API key lacks.", ["points:manage"]),
    "retry_after": ("In how many seconds to try again.", 12),
    "sandbox": ("Whether it is a programme for trying things out.", False),
    "scopes": ("What the API key may do.", ["points:read", "points:manage"]),
    "valid": ("Always true: wrong credentials are refused.", True),
}
