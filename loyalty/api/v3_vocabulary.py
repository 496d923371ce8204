"""What words mean on the accounts face that mean something else on the others, or that only it has."""

from collections.abc import Mapping
from typing import Any

_MOMENT = "2026-01-02T15:45:00Z"
_KEY = "0192f3a1-c7e8-7d3a-b0c4-d5e6f7a8b9c0"

# By name, what it means and an example of it.
WORDS: Mapping[str, tuple[str, Any]] = {
    "accepted": ("How many rows are posted, or were before.", 2),
    "account_id": ("Id of an account.", _KEY),
    "amount": ("Points, exact.", 100),
    "balance": ("What can be spent.", 719.7),
    "balance_expires": ("When the next part of it expires; null: none will.", "2027-01-02T15:45:00Z"),
    "cancels": ("Id of the transaction that it undoes; null: none.", _KEY),
    "contact_id": ("Id of a contact, the customer.", _KEY),
    "created_on": ("When it was written.", _MOMENT),
    "currency": ("The programme's currency.", "EUR"),
    "current_balance": ("Points that can be spent.", 200),
    "definition_id": ("Number of a definition of points, from 1 in each programme.", 1),
    "description": ("What it was for; it may hold a description code.", "@@(Bonus.Points)"),
    "description_text": ("The description as people read it, in the language that was asked for.", "Points"),
    "error_code": ("The code of the refusal.", "ValidationFailed"),
    "error_messages": ("Why each of the rows in `notAccepted` is not posted, in the same order.", None),
    "expires_on": ("Until when it can be redeemed; null: for ever.", "2027-01-02T15:45:00Z"),
    "fields": ("All faults by field.", None),
    "href": ("The address, on this host.", None),
    "id": ("Its id.", _KEY),
    "links": ("Where to go on from here.", None),
    "maximum_size": ("How many bytes it may have.", 1048576),
    "method": ("How it is called.", "GET"),
    "message": ("The refusal in words.", "The points are not a valid amount."),
    "missing_contact_ids": ("Contacts of rows that the programme does not have.", None),
    "missing_definition_ids": ("Definitions of rows that the programme does not have.", None),
    "modified_on": (
        "When a later transaction touched it: a cancellation, an expiry of its points; null: none did.",
        None,
    ),
    "name": ("What it is called.", "Points"),
    "not_accepted": ("The rows that are not posted, as they were sent.", None),
    "pending_points": ("Points that are not yet available.", 0),
    "points": ("Points.", 100),
    "redeemed": ("Whether it is redeemed.", False),
    "redeemed_on": ("When it was redeemed; null: it is not.", None),
    "rel": ("What is there.", None),
    "request_id": ("Names the request in the service's log.", "0192f3a1c7e87d3ab0c4d5e6f7a8b9c0"),
    "requested_points": ("Points that were asked for.", 250),
    "required_permissions": ("The scopes that the key lacks.", ["points:manage"]),
    "retail_transaction_line_item_id": ("The line of the receipt that it is of; null: none.", "receipt-77-1"),
    "retry_after": ("In how many seconds it may be tried again.", 1),
    "reversible_points": ("How much of it is left to cancel.", 50),
    "source": ("Where it comes from.", "Purchase"),
    "time_stamp": ("The caller's date of it.", _MOMENT),
    "transaction_date": ("The caller's date of it; where none was sent, when it took effect.", _MOMENT),
    "transaction_id": ("The caller's own id of it.", _KEY),
    "transaction_type": ("What it does.", "Addition"),
    "type": ("What it did.", "Addition"),
    "valid_from": ("From when the points can be spent; null: it brought none.", _MOMENT),
    "valid_to": ("Until when the points can be spent; null: for ever, by inactivity, or it brought none.", _MOMENT),
    "value": ("What it is worth.", None),
    "voucher_id": ("Id of a voucher.", _KEY),
    "voucher_number": ("What the customer shows to redeem it.", "4K7P-2MWX-9HRD-T3QZ"),
}
