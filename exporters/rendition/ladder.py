"""Which tier comes next: the look of a message is given up step by step, never the message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from archiver.errors import MailarkError
from exporters.interface import Outgoing
from exporters.rendition.interface import Rendition, Tier


class Why(StrEnum):
    """Why an attempt gave no rendition."""

    REFUSED = "not laid out"
    TIME = "too slow"
    MEMORY = "too large"
    DIED = "crashed"


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt without a rendition. detail: the class of the error, or the signal; never content."""

    why: Why
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One attempt. cpu: seconds of processor time it may take · bare: nothing of the message is shown but its id."""

    tier: Tier
    cpu: float
    bare: bool = False


HTML = Step(Tier.HTML, 20)
WIDE = Step(Tier.WIDE, 20)
TEXT = Step(Tier.TEXT, 15)
HEADER = Step(Tier.HEADER, 10)
BARE = Step(Tier.HEADER, 10, bare=True)

_AFTER_FAILURE = {HTML: TEXT, WIDE: TEXT, TEXT: HEADER, HEADER: BARE}
_AFTER_CLIPPING = {HTML: WIDE, WIDE: TEXT}

Run = Callable[[Step, Outgoing], Rendition | Failed]


def climb(message: Outgoing, run: Run, step: Step = HTML) -> Rendition:
    """The best rendition that `run` can make from `step` on, its notes telling why better ones were given up.

    Raises MailarkError when not even a page without content can be made: then it is the machine that fails.
    """
    given_up: list[str] = []
    while True:
        result = run(step, message)
        following = _AFTER_FAILURE.get(step) if isinstance(result, Failed) else _after_clipping(step, result)
        if isinstance(result, Rendition) and following is None:
            return _noted(result, tuple(given_up))
        if following is None:
            raise MailarkError(
                f"message {message.id[:16]}: not even an empty page can be made ({_told(result)})",
                "see whether another message can: mailark show ID --pdf FILE",
            )
        given_up.append(f"tier {step.tier}: {_told(result)}")
        step = following


def _after_clipping(step: Step, result: Rendition) -> Step | None:
    return _AFTER_CLIPPING.get(step) if result.clipped else None


def _told(result: Rendition | Failed) -> str:
    return result.why.value if isinstance(result, Failed) else "text cut off"


def _noted(result: Rendition, given_up: tuple[str, ...]) -> Rendition:
    notes = replace(result.notes, simplified=(*result.notes.simplified, *given_up))
    return replace(result, notes=notes)
