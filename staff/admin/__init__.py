"""Staff's own pages: reasons and limits of adjustments, and requests for the approval of a second person;
and the audit log."""

from staff.admin import approvals, audit, setup

__all__ = ["approvals", "audit", "setup"]
