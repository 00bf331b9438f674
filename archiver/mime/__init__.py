"""Tolerant parsing of messages: never raises, never needs more than linear time."""

from archiver.mime.attachments import Attachment
from archiver.mime.parser import Parsed, parse

__all__ = ["Attachment", "Parsed", "parse"]
