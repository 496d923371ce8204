"""What staff see of points: kinds of points, accounts with their entries and lots, the page that adjusts them, and the
rules by which points are earned."""

from points.admin import accounts, campaigns, definitions, descriptions, entries, rulebooks, rules

__all__ = ["accounts", "campaigns", "definitions", "descriptions", "entries", "rulebooks", "rules"]
