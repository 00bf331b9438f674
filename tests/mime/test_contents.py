"""Text of attachments, who lies in whom, and messages without some of their attachments."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from archiver.mime import Attachment, parse
from archiver.mime.contents import embedders, text_of, without
from tests.exporters.production.kit import attached, mail, part

NOTICE = b"[not here]"
DEEP = part("deep.txt", "深".encode("gb18030"), "text/plain; charset=gb2312")
INNER = mail("inner", "inner text", [DEEP, part("x.bin", b"xyz" * 50)])
OUTER = mail("outer", "outer text", [part("first.bin", b"abc" * 50), attached(INNER), part("last.bin", b"xyz" * 50)])
CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"


def names(raw: bytes) -> list[str]:
    return [found.name for found in parse(raw).attachments]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_text_in_its_charset() -> None:
    (found,) = parse(mail(parts=[DEEP])).attachments
    assert text_of(found) == ("深", ())


def test_text_of_html_is_what_is_read() -> None:
    (found,) = parse(mail(parts=[part("a.html", b"<p>one<p>two<script>x</script>", "text/html")])).attachments
    assert text_of(found)[0] == "one\ntwo"


def test_what_lies_in_an_attached_message_is_known_to() -> None:
    found = parse(OUTER).attachments
    assert [item.name for item in found] == ["first.bin", "inner.eml", "deep.txt", "x.bin", "last.bin"]
    assert embedders(found) == [None, None, 1, 1, None]


def test_an_encoded_attached_message_is_one_too() -> None:
    found = parse(mail(parts=[part("inner.eml", INNER, "message/rfc822")])).attachments
    assert embedders(found) == [None, 0, 0]


def test_a_content_goes_wherever_it_is_attached() -> None:
    result = without(OUTER, lambda found, _: found.name == "last.bin", NOTICE)
    assert base64.b64encode(b"xyz" * 50)[:60] not in result
    contents = {found.name: found.data() for found in parse(result).attachments}
    assert contents["x.bin"].strip() == contents["last.bin"].strip() == NOTICE
    assert contents["first.bin"] == b"abc" * 50
    assert parse(result).text == parse(OUTER).text


def test_everything_else_keeps_its_bytes() -> None:
    result = without(OUTER, lambda found, _: found.name == "first.bin", NOTICE)
    encoded = base64.encodebytes(b"abc" * 50).replace(b"\n", b"\r\n")
    before, after = OUTER.split(encoded.strip())
    assert result.startswith(before) and result.endswith(after.lstrip(b"\r\n"))


def test_inside_an_encoded_message_the_whole_message_goes() -> None:
    raw = mail(parts=[part("inner.eml", INNER, "message/rfc822"), part("b", b"keep")])
    result = without(raw, lambda found, _: found.name == "deep.txt", NOTICE)
    assert names(result)[:1] == ["inner.eml"] and names(result)[-1] == "b"
    assert b"inner text" not in base64.b64decode(base64.b64encode(result)) and "deep.txt" not in names(result)


@pytest.mark.parametrize("encoding", ["quoted-printable", "8bit", "x-uuencode"])
def test_other_encodings(encoding: str) -> None:
    secret = b"=53ecret line\r\n" if encoding == "quoted-printable" else b"Secret line\r\n"
    if encoding == "x-uuencode":
        secret = b"begin 644 s\r\n+4V5C<F5T(&QI;F4\r\n`\r\nend\r\n"
    head = (
        f"Content-Type: text/plain; name=s\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: {encoding}"
    )
    raw = mail(parts=[head.encode() + b"\r\n\r\n" + secret])
    assert b"Secret line" in parse(raw).attachments[0].data()
    result = without(raw, lambda found, _: found.name == "s", NOTICE)
    assert b"ecret" not in result and secret.strip() not in result


def test_of_real_messages_any_one_attachment_can_be_taken_out() -> None:
    files = sorted(CORPUS.rglob("*.eml"))[::7]
    if not files:
        pytest.skip("the corpus is not here")
    taken = refused = 0
    for file in files:
        raw = file.read_bytes()
        for found in parse(raw).attachments[:3]:
            goal = digest(found.data())
            if found.data().strip() in (b"", NOTICE):
                continue

            def chosen(_: Attachment, value: str, goal: str = goal) -> bool:
                return value == goal

            try:
                result = without(raw, chosen, NOTICE)
            except ValueError:  # the body says what the attachment says
                refused += 1
                continue
            assert goal not in {digest(other.data()) for other in parse(result).attachments}
            taken += 1
    print(f"{taken} attachments taken out of {len(files)} messages, {refused} refused")
    assert taken > 50 > 10 * refused
