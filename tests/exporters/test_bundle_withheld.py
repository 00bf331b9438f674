"""What is withheld or redacted is nowhere in a bundle, and is told of."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from exporters.production.lists import Ground, Lists, read_lists
from exporters.production.order import Order
from tests.exporters.production.kit import (
    PlainRenderer,
    Production,
    attached,
    mail,
    outgoing,
    part,
)

SECRET = b"the secret price list " * 20


@pytest.mark.parametrize("withheld", [0, 1])
def test_a_near_duplicate_of_a_withheld_message_is_an_exception(tmp_path: Path, withheld: int) -> None:
    pair = [outgoing(mail("same", text, Message_ID="<one@x>")) for text in ("a", "b")]
    order = Order("CASE-1", lists=Lists({pair[withheld].id: Ground("advice", "attorney-client")}))
    made = Production(tmp_path, pair, order)
    made.run()
    (row,) = made.rows("exceptions.csv")
    assert row["message_sha256"] == pair[1 - withheld].id
    assert row["exception"] == f"near-duplicate of withheld MAIL0000000{withheld + 1}"


def test_a_withheld_message_that_another_carries_is_an_exception(tmp_path: Path) -> None:
    secret = mail("secret", Message_ID="<one@x>")
    forwarded = outgoing(mail("forwarded", parts=[attached(b"Received: by other\r\n" + secret)]))
    order = Order("CASE-1", lists=Lists({hashlib.sha256(secret).hexdigest(): Ground("advice", "attorney-client")}))
    made = Production(tmp_path, [outgoing(secret), forwarded], order)
    made.run()
    (row,) = made.rows("exceptions.csv")
    assert (row["control_number"], row["exception"]) == ("MAIL00000003", "near-duplicate of withheld MAIL00000001")


def test_a_withheld_family_keeps_its_numbers_and_shows_nothing(tmp_path: Path) -> None:
    secret = outgoing(mail("confidential advice", "do not tell", [part("advice.txt", SECRET)]))
    messages = [outgoing(mail("one")), secret, outgoing(mail("two"))]
    order = Order(
        "CASE-1", lists=read_lists(f"sha256,reason,basis\n{secret.id},advice,attorney-client\n".encode(), None)
    )
    made = Production(tmp_path, messages, order)
    made.run()
    numbers = [(record["CONTROLNUMBER"], record["PRIVILEGE"]) for record in made.dat()]
    assert numbers == [
        ("MAIL00000001", ""),
        ("MAIL00000002", "attorney-client"),
        ("MAIL00000003", "attorney-client"),
        ("MAIL00000004", ""),
    ]
    assert [(row["control_number"], row["status"], row["sha256"]) for row in made.rows("withheld.csv")] == [
        ("MAIL00000002", "withheld", secret.id),
        ("MAIL00000003", "withheld", hashlib.sha256(SECRET).hexdigest()),
    ]
    assert _leaks(made, b"confidential advice", b"do not tell", SECRET, b"advice.txt") == []
    assert isinstance(made.renderer, PlainRenderer) and secret.id not in made.renderer.rendered
    assert (made.volume() / "data/PDF/MAIL00000002.pdf").exists()


@pytest.mark.parametrize("key", ["name", "hash"])
def test_nothing_of_a_redacted_attachment_is_in_the_bundle(tmp_path: Path, key: str) -> None:
    inner = mail("inner", "inner text", [part("prices.txt", SECRET)])
    messages = [
        outgoing(mail("one", "first text", [part("prices.txt", SECRET), part("b.txt", b"keep me")])),
        outgoing(mail("two", "second text", [attached(inner)])),
        outgoing(mail("three", "third text")),
    ]
    what = "prices.txt" if key == "name" else hashlib.sha256(SECRET).hexdigest()
    order = Order("CASE-1", lists=read_lists(None, f"attachment,reason\n{what},trade secret\n".encode()))
    made = Production(tmp_path, messages, order)
    made.run()
    assert _leaks(made, SECRET) == []
    natives = [path.name for path in sorted((made.volume() / "data/NATIVES").iterdir())]
    assert natives == ["MAIL00000007.eml"], "a native that holds what is redacted is not produced"
    records = {record["CONTROLNUMBER"]: record for record in made.dat()}
    assert records["MAIL00000001"]["NATIVEPATH"] == "" and records["MAIL00000001"]["REDACTED"] == "Y"
    assert records["MAIL00000001"]["SHA256HASH"] == messages[0].id
    assert records["MAIL00000002"]["PDFPATH"] == "ATTACHMENTS\\MAIL00000002.pdf"
    assert [row["status"] for row in made.rows("withheld.csv")] == ["redacted"] * 3
    assert (made.volume() / "data/TEXT/MAIL00000001.txt").read_text() == "first text"
    assert (made.volume() / "data/ATTACHMENTS/MAIL00000003.txt").read_bytes() == b"keep me"


def _leaks(made: Production, *secrets: bytes) -> list[str]:
    """Files that hold a secret, plain, in base64 at any offset, or in base64 of base64, as our plain pages embed."""
    needles = [secret[:200] for secret in secrets]
    encoded = [base64.b64encode(secret[at:])[8:48] for secret in secrets if len(secret) > 60 for at in range(3)]
    found = []
    for path, content in made.contents().items():
        inside = [base64.b64decode(line) for line in re.findall(rb"(?m)^%((?:[A-Za-z0-9+/=]{4}){20,})$", content)]
        for text in (content, *inside):
            flat = text.replace(b"\r\n", b"")
            if any(needle in text for needle in needles) or any(needle in flat for needle in encoded):
                found.append(path)
    return [path for path in found if not path.endswith("withheld.csv")]
