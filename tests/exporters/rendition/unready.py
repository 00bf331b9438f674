"""A renderer that lacks something, and says what."""

from __future__ import annotations

from archiver.errors import ConfigError
from tests.exporters.rendition.jobs import obey as obey


def prepare() -> None:
    raise ConfigError("fonts are missing", "apt-get install fonts")
