"""What happened, who is told of it, and what came of that."""

from events.admin import deliveries, endpoints, events

__all__ = ["deliveries", "endpoints", "events"]
