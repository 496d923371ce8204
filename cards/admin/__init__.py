"""Helping a customer: finding the person and the cards; issuing, blocking and replacing cards; adjusting points."""

from cards.admin import cards, customers

__all__ = ["cards", "customers"]
