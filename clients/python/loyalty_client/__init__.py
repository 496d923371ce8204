"""Calls the customers API (`/v1`) of a loyalty-points service.

Every POST carries an Idempotency-Key that its retries repeat, so whatever gets lost on the way is posted once.
"""

from loyalty_client.client import Loyalty
from loyalty_client.errors import (
    ApiError,
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    LoyaltyError,
    PermissionDeniedError,
    RateLimitError,
    TimedOutError,
)
from loyalty_client.records import (
    Amount,
    Card,
    Customer,
    Explanation,
    Hold,
    Page,
    PointsTransaction,
    Redemption,
    Reward,
    Tier,
    Transfer,
)
from loyalty_client.resources import UNCHANGED

__all__ = [
    "UNCHANGED",
    "Amount",
    "ApiError",
    "AuthenticationError",
    "Card",
    "ConnectionFailedError",
    "Customer",
    "Explanation",
    "Hold",
    "InvalidRequestError",
    "Loyalty",
    "LoyaltyError",
    "Page",
    "PermissionDeniedError",
    "PointsTransaction",
    "RateLimitError",
    "Redemption",
    "Reward",
    "Tier",
    "TimedOutError",
    "Transfer",
]
