"""The sum of a bundle, duplicates, and what its lists tell."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from archiver.errors import IntegrityError
from exporters.bundle import BundleReport
from exporters.production.lists import Ground, Lists, read_lists
from exporters.production.order import Order, Search
from tests.exporters.production.kit import (
    Production,
    mail,
    many,
    outgoing,
    place,
)


def test_the_sum_holds_with_every_kind_of_loss(tmp_path: Path) -> None:
    messages = many(9)
    unreadable = outgoing(mail("gone"), place("sales"), place("buying"), place("director"))
    forged = replace(outgoing(mail("forged")), raw=mail("another"))
    order = Order("CASE-1", lists=Lists({messages[3].id: Ground("advice", "attorney-client")}))
    made = Production(tmp_path, messages, order)
    made.search = Search("q", [*messages, unreadable, forged], unread=lambda _: "the pack is damaged")
    report = made.run([*messages, forged])
    assert (report.written, len(report.failed)) == (9, 1)
    assert made.query()["hits"] == 9 + 3 + 3 + 1
    text = [json.loads(line) for line in (made.volume() / "data/REPORT/custody.jsonl").read_bytes().splitlines()]
    (read,) = (step for step in text if step["action"] == "read and hashed anew")
    assert (read["equal_to_the_hash_at_ingest"], read["failed"]) == (9, 2)
    named = {
        row["message_sha256"]: row["exception"] for row in made.rows("exceptions.csv") if not row["control_number"]
    }
    assert named == {
        unreadable.id: "not produced: the pack is damaged",
        forged.id: "not produced: the message is not the one that was archived",
    }
    assert len(made.rows("duplicates.csv")) == 3
    again = made.run([])
    assert (again.written, again.skipped, len(again.failed)) == (0, 9, 2), "failures are not forgotten"


def test_a_message_that_comes_twice_or_was_not_found_makes_no_bundle(tmp_path: Path) -> None:
    messages = many(3)
    with pytest.raises(IntegrityError, match="twice"):
        Production(tmp_path / "a", messages).run([*messages, messages[0]])
    with pytest.raises(IntegrityError, match="sum does not hold"):
        Production(tmp_path / "b", messages, search=Search("q", messages[:2])).run()
    assert not (tmp_path / "b/CASE-1_VOL001/tagmanifest-sha256.txt").exists()


def test_near_duplicates_are_all_produced_and_told(tmp_path: Path) -> None:
    first = outgoing(mail("same", Message_ID="<one@x>"))
    second = outgoing(mail("same", Message_ID="<one@x>", Received="by other; Fri, 01 Mar 2024 16:30:00 +0800"))
    made = Production(tmp_path, [first, second])
    made.run()
    assert len({record["EDRMMIH"] for record in made.dat()}) == 1
    assert [row["relation"] for row in made.rows("duplicates.csv")] == ["same Message-ID as MAIL00000001"]


def test_an_entry_that_matches_nothing_is_told(tmp_path: Path) -> None:
    lists = read_lists(f"sha256,reason,basis\n{'a' * 64},x,y\n".encode(), b"attachment,reason\nno.pdf,x\n")
    made = Production(tmp_path, many(2), Order("CASE-1", lists=lists))
    entries = (("withhold", "a" * 64), ("redact", "no.pdf"))
    for report in (made.run(), made.run()):
        assert isinstance(report, BundleReport)
        assert report.unmatched == entries, "a bundle that was there tells it again"
    told = [row["exception"] for row in made.rows("exceptions.csv") if not row["message_sha256"]]
    assert told == [
        f"no document matches the entry of --withhold: {'a' * 64}",
        "no document matches the entry of --redact: no.pdf",
    ]


def test_an_entry_for_a_message_that_could_not_be_read_is_no_slip(tmp_path: Path) -> None:
    messages = many(2)
    lists = read_lists(f"sha256,reason,basis\n{messages[1].id},x,y\n".encode(), None)
    report = Production(tmp_path, messages, Order("CASE-1", lists=lists)).run(messages[:1])
    assert isinstance(report, BundleReport)
    assert (len(report.unmatched), report.written) == (0, 1)
