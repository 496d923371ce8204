"""The admin's pages of imports and exports."""

from exchange.admin import imports

__all__ = ["imports"]
