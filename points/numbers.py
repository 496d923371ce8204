"""Columns for points."""

from django.db import models

MAX_DIGITS = 15  # A JSON reader with doubles keeps that many exact.


def points_field(**options) -> models.DecimalField:
    """This will make a column for points: fifteen digits before the point, two after."""
    return models.DecimalField(max_digits=MAX_DIGITS + 2, decimal_places=2, **options)
