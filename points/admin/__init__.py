"""What staff see of points: kinds of points, accounts with their entries and lots, and the page that adjusts them."""

from points.admin import accounts, definitions, entries

__all__ = ["accounts", "definitions", "entries"]
