"""A meeting as a block of the page: what kind of message about it this is, then what, when, where and who."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from archiver.model import Address
from exporters.rendition.invitation import EVENTS, Attendee, Meeting
from exporters.rendition.wording import Wording

ATTENDEES = 60
"""Attendees shown of each meeting; the rest is counted."""
_FIELD = 1_000

_METHODS = {  # RFC 5546 section 1.4
    "REQUEST": "invitation",
    "CANCEL": "cancellation",
    "REPLY": "answer",
    "COUNTER": "counter",
    "DECLINECOUNTER": "declined_counter",
    "PUBLISH": "announcement",
}
_ANSWERS = {  # RFC 5545 section 3.2.12
    "ACCEPTED": "accepted",
    "DECLINED": "declined",
    "TENTATIVE": "tentative",
    "DELEGATED": "delegated",
    "NEEDS-ACTION": "unanswered",
}
_STATES = {"TENTATIVE": "tentative", "CANCELLED": "cancelled"}


def invitation_block(
    meetings: Sequence[Meeting], words: Wording, text: Callable[[str], str], address: Callable[[Address], str]
) -> str:
    """HTML of all meetings; text, address: make HTML of what others wrote."""
    blocks = []
    for meeting in meetings[:EVENTS]:
        rows = "".join(
            f"<tr><th>{label}</th><td>{value}</td></tr>" for label, value in _rows(meeting, words, text, address)
        )
        heading = words.label(_METHODS.get(meeting.method, "event"))
        blocks.append(f"<section><h2>{heading}</h2><table><tbody>{rows}</tbody></table></section>")
    if len(meetings) > EVENTS:
        blocks.append(f"<section><p>{words.sentence('more_meetings')}</p></section>")
    return "".join(blocks)


def _rows(
    meeting: Meeting, words: Wording, text: Callable[[str], str], address: Callable[[Address], str]
) -> Iterator[tuple[str, str]]:
    yield words.label("subject"), text(meeting.subject[:_FIELD]) or words.label("none")
    when = text(meeting.when[:_FIELD]) or words.label("none")
    yield words.label("when"), f"{when} ({words.label('all_day')})" if meeting.all_day else when
    if meeting.repeats:
        yield words.label("repeats"), text(meeting.repeats[:_FIELD])
    if meeting.where:
        yield words.label("where"), text(meeting.where[:_FIELD])
    if meeting.organiser:
        yield words.label("organiser"), address(meeting.organiser)
    if meeting.attendees:
        yield words.label("attendees"), _attendees(meeting, words, address)
    if state := _STATES.get(meeting.status):
        yield words.label("state"), words.label(state)


def _attendees(meeting: Meeting, words: Wording, address: Callable[[Address], str]) -> str:
    shown = "; ".join(_attendee(attendee, words, address) for attendee in meeting.attendees[:ATTENDEES])
    count = len(meeting.attendees) + meeting.more
    return shown if count <= ATTENDEES else f"{shown}; {words.sentence('more', f'{count - ATTENDEES:,}', f'{count:,}')}"


def _attendee(attendee: Attendee, words: Wording, address: Callable[[Address], str]) -> str:
    answer = _ANSWERS.get(attendee.status)
    return f"{address(attendee.person)} ({words.label(answer)})" if answer else address(attendee.person)
