"""The ladder reads like this table: what happened at each step, and what is handed out."""

from __future__ import annotations

import pytest

from archiver.errors import MailarkError
from exporters.interface import Outgoing
from exporters.rendition import ladder
from exporters.rendition.interface import Notes, Rendition, Tier
from exporters.rendition.ladder import BARE, HEADER, HTML, TEXT, WIDE, Failed, Step, Why, climb

MESSAGE = Outgoing("ab" * 32, b"x", (), "s", None)
SLOW = Failed(Why.TIME)


def play(clipped: set[Step], failing: set[Step]) -> tuple[Rendition, list[Step]]:
    asked: list[Step] = []

    def run(step: Step, message: Outgoing) -> Rendition | Failed:
        assert message is MESSAGE
        asked.append(step)
        if step in failing:
            return SLOW
        return Rendition(b"%PDF-", 1, step.tier, step in clipped, Notes(simplified=("css",)))

    return climb(MESSAGE, run), asked


@pytest.mark.parametrize(
    ("clipped", "failing", "asked", "clipped_at_last"),
    [
        (set(), set(), [HTML], False),
        ({HTML}, set(), [HTML, WIDE], False),
        ({HTML, WIDE}, set(), [HTML, WIDE, TEXT], False),
        ({HTML}, {WIDE}, [HTML, WIDE, TEXT], False),
        (set(), {HTML}, [HTML, TEXT], False),
        ({TEXT}, {HTML}, [HTML, TEXT], True),
        (set(), {HTML, TEXT}, [HTML, TEXT, HEADER], False),
        ({HEADER}, {HTML, TEXT}, [HTML, TEXT, HEADER], True),
        (set(), {HTML, TEXT, HEADER}, [HTML, TEXT, HEADER, BARE], False),
        ({HTML}, {WIDE, TEXT, HEADER}, [HTML, WIDE, TEXT, HEADER, BARE], False),
    ],
)
def test_steps(clipped: set[Step], failing: set[Step], asked: list[Step], clipped_at_last: bool) -> None:
    rendition, steps = play(clipped, failing)
    assert steps == asked
    assert (rendition.tier, rendition.clipped) == (asked[-1].tier, clipped_at_last)
    assert rendition.notes.simplified[0] == "css"
    assert len(rendition.notes.simplified) == len(asked)


def test_the_notes_tell_what_was_given_up() -> None:
    rendition, _ = play({HTML}, {WIDE})
    assert rendition.notes.simplified == ("css", "tier 1: text cut off", "tier 1b: too slow")


def test_a_machine_that_can_make_no_page_at_all_is_an_error() -> None:
    with pytest.raises(MailarkError, match="not even an empty page"):
        play(set(), {HTML, TEXT, HEADER, BARE})


def test_no_message_takes_longer_than_the_steps_together() -> None:
    assert sum(step.cpu for step in (HTML, WIDE, TEXT, HEADER, BARE)) <= 75
    assert {step.tier for step in (HTML, WIDE, TEXT, HEADER)} == set(Tier)
    assert ladder.HTML.cpu == ladder.WIDE.cpu == 20
