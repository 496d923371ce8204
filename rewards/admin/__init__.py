"""The admin's pages for rewards, codes and vouchers."""

from rewards.admin import codes, rewards, vouchers

__all__ = ["codes", "rewards", "vouchers"]
