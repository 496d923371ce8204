"""Writing to customers: what about, in which words, and what became of each e-mail."""

from notices.admin import messages, settings, texts

__all__ = ["messages", "settings", "texts"]
