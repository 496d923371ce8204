"""Segments and award campaigns, as staff make, start, watch and end them."""

from campaigns.admin import awards, segments

__all__ = ["awards", "segments"]
