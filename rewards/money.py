"""Money: how it is kept, and what points are worth of it."""

import decimal
from decimal import Decimal

from django.db import models

CENT = Decimal("0.01")
TOO_MUCH = Decimal(10**13)  # What a column for money does not hold.


def money_field(**options) -> models.DecimalField:
    """This will make a column for an amount of money."""
    return models.DecimalField(max_digits=15, decimal_places=2, **options)


def worth(points: Decimal, point_value: Decimal) -> Decimal:
    """This will answer what so many points are worth at a value each: lowered to the cent, once."""
    # Seventeen digits by twelve: exact, where decimal's context keeps 28.
    with decimal.localcontext(prec=50):
        return (points * point_value).quantize(CENT, rounding=decimal.ROUND_DOWN)
