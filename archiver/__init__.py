"""Mailark: an encrypted, deduplicated archive of a company's mailboxes, kept in several stores at once."""

__version__ = "0.1.0"
