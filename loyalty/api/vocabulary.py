"""What the faces' words mean: the description and the example of a field, wherever it is used.

A field that needs another description brings its own.
"""

from collections.abc import Mapping
from typing import Any

_MOMENT = "2026-01-02T15:45:00Z"

# By name, what it means and an example of it.
WORDS: Mapping[str, tuple[str, Any]] = {
    "auto_activate": ("Whether the card may be used at once.", True),
    "balance_after": ("Available points after it.", 250),
    "balance_before": ("Available points before it.", 150),
    "blocked_at": ("When the card was blocked; null: it is not.", _MOMENT),
    "can_earn_points": ("Whether points may be awarded with the card.", True),
    "can_redeem_points": ("Whether points may be redeemed with the card.", True),
    "card_design": ("How the card looks, in the shop's own words.", "default"),
    "card_id": ("Id of a card; null: it was named by its customer.", "card_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0"),
    "card_number": ("The number that is printed on the card.", "LC012345678901"),
    "cards": ("The cards of the page.", None),
    "code": ("The code of the refusal.", "INSUFFICIENT_POINTS"),
    "created_after": ("Made at or after this time.", _MOMENT),
    "created_at": ("When it was made.", _MOMENT),
    "current_balance": ("What can be spent.", 200),
    "current_page": ("Which page it is, from 1.", 1),
    "current_tier": ("Code of the customer's tier.", "silver"),
    "customer_email": ("E-mail address of the customer.", "jane@example.com"),
    "customer_id": ("Id of the customer.", "cus_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0"),
    "customer_name": ("Name of the customer.", "Jane Doe"),
    "customer_phone": ("Telephone number of the customer.", "+370 600 00000"),
    "days": ("Within how many days.", 30),
    "expired_at": ("When they were expired; null: nothing was due.", _MOMENT),
    "expires_at": ("When it ends; null: never.", "2027-01-02T15:45:00Z"),
    "expiring": ("A row for each day, earliest first.", None),
    "failed": ("How many items were refused.", 1),
    "has_next": ("Whether a page comes after it.", False),
    "has_prev": ("Whether a page comes before it.", False),
    "id": ("Its id.", None),
    "last_activity": ("The newest transaction that somebody made; null: none yet.", None),
    "lifetime_earned": ("Points of awards that became available, less what was reversed of them.", 500),
    "lifetime_expired": ("Points that have expired.", 0),
    "lifetime_redeemed": ("Points that were redeemed, less what was given back.", 300),
    "message": ("The refusal in words.", "There are not enough points."),
    "metadata": ("A JSON object of the caller's own.", {"order_total": 50.0}),
    "new_balance": ("Available points after it.", 250),
    "next_tier": ("Code of the tier after it.", "gold"),
    "pagination": ("Where in the list the page is.", None),
    "pending_after": ("Points that are not yet available, after it.", 0),
    "per_page": ("How many rows a page has at most.", 20),
    "points": ("Points.", 100),
    "points_awarded": ("Points of the awards.", 500),
    "points_expired": ("Points that expired, not negative.", 0),
    "points_redeemed": ("Points that were redeemed, not negative.", 300),
    "points_to_keep_tier": ("What is missing to pass the tier's next review; 0: it passes, or none comes.", 200),
    "points_to_next_tier": ("What is missing to the next tier.", 300),
    "previous_balance": ("Available points before it.", 150),
    "processed": ("How many items there were.", 3),
    "processing_time": ("How long it took.", "0.245s"),
    "projected_tier": ("What the tier becomes if nothing more is earned.", "silver"),
    "qr_code_url": ("Where the card's QR code is drawn.", None),
    "reason": ("Why, as the customer is told.", "Order reward"),
    "reference": ("For example an order number; it need not be unique.", "order_77"),
    "replaced_by": ("The card in its place; null: it was not replaced.", "card_0192f3a1c7e87d3ab0c4d5e6f7a8b9c1"),
    "replaces": ("The card that it replaces.", "card_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0"),
    "results": ("What became of each item, in the order given.", None),
    "reverses": ("The transaction that it reverses; null: none.", "txn_0192f3a1c7e87d3ab0c4d5e6f7a8b9c1"),
    "sort": ("By what, and in which direction.", "created_at:desc"),
    "staff_member": ("Who did it.", "Bob"),
    "status": ("Its state.", None),
    "successful": ("How many items were posted.", 2),
    "summary": ("Of what the filters select.", None),
    "tier": ("Code of the customer's tier; null: none.", "silver"),
    "tier_until": ("When the tier falls if nothing more is earned; null: no end.", _MOMENT),
    "tier_info": ("The customer's tier.", None),
    "total": ("How many rows there are.", 1),
    "total_pages": ("How many pages there are.", 1),
    "total_points": ("The sum of the rows.", 25),
    "total_transactions": ("How many transactions there are.", 5),
    "transaction_id": ("Id of the transaction.", "txn_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0"),
    "transactions": ("The transactions of the page.", None),
    "type": ("What it does.", "award"),
    "valid_from": ("When pending points become available; null: at once.", _MOMENT),
}

# What they mean in a path, where that is something else.
WORDS_IN_PATHS: Mapping[str, str] = {
    "card_id": "Id of a card, or its number.",
}


def describe(name: str, schema: dict[str, Any], words: Mapping[str, tuple[str, Any]] = WORDS) -> dict[str, Any]:
    """This will add to a field's schema what it does not say of itself."""
    text, example = words.get(name, (None, None))
    if "$ref" in schema:
        # Nothing stands beside a reference in OpenAPI 3.0; what it leads to describes itself.
        return schema
    known = {"description": text, "example": example}
    if "allOf" in schema or ("enum" in schema and example not in schema["enum"]):
        known["example"] = None
    return {name: value for name, value in known.items() if value is not None} | schema
