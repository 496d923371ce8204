"""What words mean on the customers face that mean something else on the others, or that only it has."""

from collections.abc import Mapping
from typing import Any

# By name, what it means and an example of it.
WORDS: Mapping[str, tuple[str, Any]] = {
    "balance_after": ("Points that can be spent, after it.", 250),
    "benefits": ("What customers get for it, one text each.", ["25% more points"]),
    "cards": ("The customer's cards, the oldest first.", None),
    "created_at": ("When it was made.", "2026-01-02T15:45:00Z"),
    "customer_id": ("Id of the customer.", "cus_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0"),
    "data": ("The rows.", None),
    "email": ("E-mail address.", "jane@example.com"),
    "ending_before": ("Id of the first row of a page: asks for the page before it.", None),
    "external_id": ("The shop's own id of the customer.", "customer-77"),
    "held_points": ("Points that are set aside by holds: not spendable, not expiring.", 0),
    "has_more": ("Whether there are more rows that way.", False),
    "lifetime_points": ("Points of awards that became available, less what was reversed of them.", 500),
    "limit": ("At most that many rows.", 20),
    "locale": ("The customer's language.", "lt-LT"),
    "metadata": ("A JSON object of the caller's own.", {"order_id": "order_1"}),
    "min_points": ("Points that reach it.", 500),
    "multiplier": ("What the points of purchases are multiplied by.", 1.25),
    "name": ("The customer's name.", "Jane Doe"),
    "number": ("The number that is printed on the card.", "LC012345678901"),
    "object": ("What kind of object it is.", None),
    "order": ("Which come first: `desc` the newest, `asc` the oldest.", "desc"),
    "pending_points": ("Points that are not yet available.", 0),
    "phone": ("Telephone number.", "+370 600 00000"),
    "points_balance": ("Points that can be spent.", 250),
    "rank": ("1: the lowest.", 2),
    "reward_id": ("Id of a reward.", "rwd_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0"),
    "starting_after": ("Id of the last row of a page: asks for the page after it.", None),
    "tier": ("Name of the customer's tier; null: none.", "Silver"),
}

# What they mean in a path, where that is more.
WORDS_IN_PATHS: Mapping[str, str] = {
    "customer_id": "Id of the customer, or the shop's own.",
    "event_id": "Id of an event.",
    "delivery_id": "Id of a delivery.",
    "endpoint_id": "Id of a webhook endpoint.",
    "hold_id": "Id of a hold.",
    "redemption_id": "Id of a redemption, or its code in any case.",
}

# The same of what an error says.
WORDS_OF_ERRORS: Mapping[str, tuple[str, Any]] = {
    "current_balance": ("Points that can be spent.", 200),
    "maximum_size": ("How many bytes it may have.", 1048576),
    "param": ("The first parameter that is wrong; null: it is not one parameter.", "points"),
    "request_id": ("Names the request in the service's log.", "0192f3a1c7e87d3ab0c4d5e6f7a8b9c0"),
    "requested_points": ("Points that were asked for.", 250),
    "required_permissions": ("The scopes that the key lacks.", ["points:manage"]),
    "retry_after": ("In how many seconds it may be tried again.", 1),
    "type": ("What kind of error it is, by its status.", "invalid_request_error"),
}
