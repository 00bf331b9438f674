"""What makes an export this one: by it a sealed file is named, and the work of one that was cut is found again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from archiver.cli.destination import description
from archiver.cli.forms.bundle import BUNDLE
from archiver.cli.forms.interface import Form
from archiver.cli.forms.plain import EML, MAILDIR
from exporters.interface import Outgoing
from tests.exporters.production.kit import mail, outgoing, place


def told(form: Form, *hits: Outgoing) -> list[str]:
    return description(form, {}, "from:anna", [cast(Any, hit) for hit in hits])


def test_flags_are_in_the_index_of_messages_and_nowhere_in_a_bundle() -> None:
    """Somebody has read the message since yesterday: a bundle that was cut is still this one."""
    before = outgoing(mail(), place("sales"))
    after = replace(before, places=(replace(before.places[0], flags=("\\Seen", "\\Answered")),))
    assert told(BUNDLE, before) == told(BUNDLE, after)
    assert told(EML, before) != told(EML, after)
    assert told(MAILDIR, before) != told(MAILDIR, after)


def test_another_message_or_place_makes_it_another_export() -> None:
    one, two = outgoing(mail()), outgoing(mail("PI 2024-8"))
    moved = replace(one, places=(replace(one.places[0], folder="Archive"),))
    again = replace(one, places=(replace(one.places[0], uid=99),))
    orders = [told(BUNDLE, *hits) for hits in ((one,), (two,), (one, two), (moved,), (again,))]
    assert len({tuple(order) for order in orders}) == len(orders)
