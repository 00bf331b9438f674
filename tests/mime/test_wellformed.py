"""Messages that Python's own library composes come back as they were composed."""

from __future__ import annotations

from email.headerregistry import Address as Composed
from email.message import EmailMessage
from email.policy import SMTP

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archiver.mime import parse
from archiver.model import Address

CHARACTERS = st.characters(codec="utf-8", categories=("L", "N", "P", "S"), exclude_characters="\"'\\<>")
WORDS = st.lists(st.text(CHARACTERS, min_size=1, max_size=12), min_size=1, max_size=8).map(" ".join)
# Lines are long because the library loses blanks where it begins a new encoded word.
COMPOSING = SMTP.clone(max_line_length=900)
ASCII = st.text("abcdefgh", min_size=1, max_size=8)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    WORDS,
    st.lists(st.tuples(WORDS, ASCII), min_size=1, max_size=4),
    st.lists(WORDS, max_size=12),
    st.lists(st.tuples(WORDS, st.binary(max_size=3_000)), max_size=4),
    st.sampled_from(["base64", "quoted-printable", "8bit"]),
)
def test_composed_messages_come_back(
    subject: str, people: list[tuple[str, str]], lines: list[str], files: list[tuple[str, bytes]], encoding: str
) -> None:
    text = "".join(line + "\n" for line in lines)
    message = EmailMessage(policy=COMPOSING)
    message["Subject"] = subject
    message["To"] = [Composed(name, user, "example.com") for name, user in people]
    message.set_content(text, cte=encoding)
    for name, data in files:
        message.add_attachment(data, "application", "pdf", filename=name)
    parsed = parse(message.as_bytes())
    assert parsed.subject == subject
    assert parsed.to == tuple(Address(name, f"{user}@example.com") for name, user in people)
    assert parsed.text == text.strip("\n")
    assert [(found.name, found.data()) for found in parsed.attachments] == files
    assert [found.size for found in parsed.attachments] == [len(data) for _, data in files]
