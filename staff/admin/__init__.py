"""Staff's own pages: reasons and limits of adjustments, and requests for the approval of a second person."""

from staff.admin import approvals, setup

__all__ = ["approvals", "setup"]
