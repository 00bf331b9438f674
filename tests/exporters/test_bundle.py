"""The bundle as a whole, on a press that prints plain pages."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import mmap
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from archiver.errors import ConfigError, IntegrityError, QuotaError
from archiver.model import Verdict
from exporters import files
from exporters.interface import Outgoing
from exporters.production import bag
from exporters.production.evidence import Evidence
from exporters.production.lists import Ground, Lists, read_lists
from exporters.production.numbering import Numbers
from exporters.production.order import Kept, Order, Search
from exporters.production.record import FIELDS
from tests.contracts import exporter as contract
from tests.exporters.production.kit import (
    START,
    PlainRenderer,
    Production,
    attached,
    mail,
    outgoing,
    part,
    pdf,
    place,
)

SECRET = b"the secret price list " * 20
INNER = mail("inner", "inner text", [part("deep.txt", b"deep")])


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def many(count: int) -> list[Outgoing]:
    """Messages of several lengths, some with attachments, some held by two custodians."""
    made = []
    for number in range(count):
        chance = random.Random(number)
        parts = [part(f"{n}.txt", chance.randbytes(300)) for n in range(chance.randrange(3))]
        raw = mail(f"Message {number}", "word " * chance.randrange(200), parts)
        places = [place("sales", uid=number)] + [place("buying", uid=number, day=1)] * (number % 3 == 0)
        made.append(outgoing(raw, *places))
    return made


def rows(production: Production, name: str) -> list[dict[str, str]]:
    path = production.volume() / "data/REPORT" / name
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def query(production: Production) -> dict[str, object]:
    found: dict[str, object] = json.loads((production.volume() / "data/REPORT/query.json").read_bytes())
    return found


def test_layout_and_records(tmp_path: Path) -> None:
    raw = mail(
        "采购合同",
        "x" * 450,
        [part("a.pdf", pdf(1), "application/pdf"), attached(INNER)],
        To="Sales <sales@example.com>, B <b@example.com>",
        In_Reply_To="<second@x>",
        References="<root@x> <second@x>",
        Delivered_To="sales@example.com",
    )
    message = replace(
        outgoing(raw, place("buying", "项目/合同", day=2), place("sales")),
        verdicts=(Verdict("dkim", "pass", "example.com", "s1"), Verdict("arc", "not checked", reason="no DNS")),
    )
    order = Order("CASE-1", custodians={"sales": "Li, Anna"}, zone=ZoneInfo("Asia/Shanghai"))
    made = Production(tmp_path, [message], order)
    kept = Search("q", [message], {"id": "a1"}, START, kept=lambda _: Kept("mail-2024", "case 7"))
    made.search = kept
    assert made.run().written == 1
    first, *rest = made.dat()
    assert tuple(first) == FIELDS
    assert (
        first
        | {
            "CONTROLNUMBER": "MAIL00000001",
            "BEGBATES": "MAIL00000001",
            "ENDBATES": "MAIL00000003",
            "BEGATTACH": "MAIL00000001",
            "ENDATTACH": "MAIL00000006",
            "ATTACHIDS": "MAIL00000004; MAIL00000005",
            "CUSTODIAN": "Li, Anna",
            "ALLCUSTODIANS": "Li, Anna; buying",
            "ALLPATHS": "Li, Anna/INBOX; buying/项目/合同",
            "DOCTYPE": "E-mail",
            "FROM": "Anna Li <anna@example.com>",
            "TO": "Sales <sales@example.com>; B <b@example.com>",
            "ENVELOPE_RCPT": "sales@example.com",
            "SUBJECT": "采购合同",
            "DATESENT": "2024-03-01",
            "TIMESENT": "16:30:00",
            "TZ": "Asia/Shanghai",
            "DATESENT_UTC": "2024-03-01T08:30:00Z",
            "DATERECEIVED": "2024-03-01T08:30:00Z",
            "INREPLYTO": "second@x",
            "REFERENCES": "root@x; second@x",
            "THREADID": "root@x",
            "ATTACHCOUNT": "2",
            "ATTACHNAMES": "a.pdf; inner.eml; deep.txt",
            "FILESIZE": str(len(raw)),
            "MD5HASH": hashlib.md5(raw).hexdigest(),
            "SHA256HASH": digest(raw),
            "EDRMMIH": hashlib.md5(f"<{first['MESSAGEID']}>".encode()).hexdigest(),
            "ARCHIVEID": message.id,
            "INGESTDATE_UTC": "2024-03-01T08:30:00Z",
            "RETENTIONCLASS": "mail-2024",
            "LEGALHOLD": "case 7",
            "PAGECOUNT": "3",
            "PDFTIER": "1",
            "CLIPPED": "N",
            "REMOTEIMG": "2",
            "RENDERER": "plain 1",
            "DKIM": "pass example.com",
            "ARC": "not checked (no DNS)",
            "EXCEPTION": "",
        }
        == first
    )
    assert [(r["BEGBATES"], r["PARENTID"], r["FILENAME"], r["DOCTYPE"]) for r in rest] == [
        ("MAIL00000004", "MAIL00000001", "a.pdf", "Attachment"),
        ("MAIL00000005", "MAIL00000001", "inner.eml", "Attached e-mail"),
        ("MAIL00000006", "MAIL00000005", "deep.txt", "Attachment"),
    ]
    inner = rest[1]
    assert (inner["SUBJECT"], inner["FROM"], inner["TIMESENT"]) == ("inner", "Anna Li <anna@example.com>", "16:30:00")
    assert {(r["BEGATTACH"], r["ENDATTACH"]) for r in rest} == {("MAIL00000001", "MAIL00000006")}


def test_every_path_of_a_record_leads_to_the_bytes_it_tells_of(tmp_path: Path) -> None:
    made = Production(tmp_path, many(12))
    made.run()
    data = made.volume() / "data"
    for record in made.dat():
        native = (data / record["NATIVEPATH"].replace("\\", "/")).read_bytes()
        assert (digest(native), str(len(native))) == (record["SHA256HASH"], record["FILESIZE"])
        assert (data / record["TEXTPATH"].replace("\\", "/")).is_file()
        if record["PDFPATH"]:
            assert digest((data / record["PDFPATH"].replace("\\", "/")).read_bytes()) == record["PDFSHA256"]


def test_numbers_are_seamless_and_on_the_pages(tmp_path: Path) -> None:
    made = Production(tmp_path, many(20), Order("CASE-1", numbers=Numbers("ABC-", 41, 6)))
    made.run()
    following = 41
    for record in made.dat():
        first, last = (int(record[name].removeprefix("ABC-")) for name in ("BEGBATES", "ENDBATES"))
        assert first == following and last - first + 1 == int(record["PAGECOUNT"] or 1)
        following = last + 1
        if record["PDFPATH"]:
            pages = (made.volume() / "data" / record["PDFPATH"].replace("\\", "/")).read_bytes()
            assert [f"%ABC-{n:06d}".encode() in pages for n in range(first, last + 1)] == [True] * (last - first + 1)


def test_the_sum_holds_with_every_kind_of_loss(tmp_path: Path) -> None:
    messages = many(9)
    unreadable = outgoing(mail("gone"), place("sales"), place("buying"), place("director"))
    forged = replace(outgoing(mail("forged")), raw=mail("another"))
    order = Order("CASE-1", lists=Lists({messages[3].id: Ground("advice", "attorney-client")}))
    made = Production(tmp_path, messages, order)
    made.search = Search("q", [*messages, unreadable, forged], unread=lambda _: "the pack is damaged")
    report = made.run([*messages, forged])
    assert (report.written, len(report.failed)) == (9, 1)
    assert query(made)["hits"] == 9 + 3 + 3 + 1
    text = [json.loads(line) for line in (made.volume() / "data/REPORT/custody.jsonl").read_bytes().splitlines()]
    (read,) = (step for step in text if step["action"] == "read and hashed anew")
    assert (read["equal_to_the_hash_at_ingest"], read["failed"]) == (9, 2)
    named = {
        row["message_sha256"]: row["exception"] for row in rows(made, "exceptions.csv") if not row["control_number"]
    }
    assert named == {
        unreadable.id: "not produced: the pack is damaged",
        forged.id: "not produced: the message is not the one that was archived",
    }
    assert len(rows(made, "duplicates.csv")) == 3
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
    assert [row["relation"] for row in rows(made, "duplicates.csv")] == ["same Message-ID as MAIL00000001"]


@pytest.mark.parametrize("withheld", [0, 1])
def test_a_near_duplicate_of_a_withheld_message_is_an_exception(tmp_path: Path, withheld: int) -> None:
    pair = [outgoing(mail("same", text, Message_ID="<one@x>")) for text in ("a", "b")]
    order = Order("CASE-1", lists=Lists({pair[withheld].id: Ground("advice", "attorney-client")}))
    made = Production(tmp_path, pair, order)
    made.run()
    (row,) = rows(made, "exceptions.csv")
    assert row["message_sha256"] == pair[1 - withheld].id
    assert row["exception"] == f"near-duplicate of withheld MAIL0000000{withheld + 1}"


def test_a_withheld_message_that_another_carries_is_an_exception(tmp_path: Path) -> None:
    secret = mail("secret", Message_ID="<one@x>")
    forwarded = outgoing(mail("forwarded", parts=[attached(b"Received: by other\r\n" + secret)]))
    order = Order("CASE-1", lists=Lists({digest(secret): Ground("advice", "attorney-client")}))
    made = Production(tmp_path, [outgoing(secret), forwarded], order)
    made.run()
    (row,) = rows(made, "exceptions.csv")
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
    assert [(row["control_number"], row["status"], row["sha256"]) for row in rows(made, "withheld.csv")] == [
        ("MAIL00000002", "withheld", secret.id),
        ("MAIL00000003", "withheld", digest(SECRET)),
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
    what = "prices.txt" if key == "name" else digest(SECRET)
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
    assert [row["status"] for row in rows(made, "withheld.csv")] == ["redacted"] * 3
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


def test_an_entry_that_matches_nothing_is_told(tmp_path: Path) -> None:
    lists = read_lists(f"sha256,reason,basis\n{'a' * 64},x,y\n".encode(), b"attachment,reason\nno.pdf,x\n")
    made = Production(tmp_path, many(2), Order("CASE-1", lists=lists))
    made.run()
    told = [row["exception"] for row in rows(made, "exceptions.csv") if not row["message_sha256"]]
    assert told == [
        f"no document matches the entry of --withhold: {'a' * 64}",
        "no document matches the entry of --redact: no.pdf",
    ]


def test_volumes_by_size_and_families_stay_together(tmp_path: Path) -> None:
    messages = many(40)
    made = Production(tmp_path, messages, Order("CASE-1", volume_size=20_000))
    report = made.run()
    assert len(report.files) > 3
    seen: list[str] = []
    for number in range(1, len(report.files) + 1):
        records = made.dat(number)
        seen += [record["CONTROLNUMBER"] for record in records]
        own = {record["CONTROLNUMBER"] for record in records}
        assert {record["BEGATTACH"] for record in records} <= own and records
        documents = sum(
            path.stat().st_size
            for name in ("NATIVES", "PDF", "TEXT", "ATTACHMENTS")
            for path in (made.volume(number) / "data" / name).glob("*")
        )
        assert documents <= 20_000
        assert (made.volume(number) / f"data/DATA/VOL{number:03d}.opt").exists()
        assert (made.volume(number) / "data/REPORT/duplicates.csv").read_bytes() == (
            made.volume(1) / "data/REPORT/duplicates.csv"
        ).read_bytes()
    assert seen == sorted(seen) and len(seen) == len(set(seen))
    assert sum(len(list((made.volume(n) / "data/NATIVES").iterdir())) for n in range(1, len(report.files) + 1)) == 40


def test_a_family_larger_than_a_volume_has_one_of_its_own(tmp_path: Path) -> None:
    messages = [outgoing(mail(f"m{n}", parts=[part("a.bin", bytes(9_000 if n == 0 else 9))])) for n in range(3)]
    made = Production(tmp_path, messages, Order("CASE-1", volume_size=8_000))
    assert len(made.run().files) == 2
    assert [len(made.dat(number)) for number in (1, 2)] == [2, 4]


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    messages = many(15)
    first, second = Production(tmp_path / "a", messages), Production(tmp_path / "b", messages)
    first.run()
    second.run()
    assert first.contents() == second.contents()


@pytest.mark.parametrize("at", [0, 1, 7, 14])
@pytest.mark.parametrize("volume_size", [None, 10_000])
def test_a_run_that_was_cut_goes_on(tmp_path: Path, at: int, volume_size: int | None) -> None:
    messages, order = many(15), Order("CASE-1", volume_size=volume_size)
    whole = Production(tmp_path / "whole", messages, order)
    whole.run()

    def cut() -> Iterator[Outgoing]:
        yield from messages[:at]
        raise KeyboardInterrupt

    made = Production(tmp_path / "cut", messages, order, renderer=PlainRenderer(ahead=1))
    with pytest.raises(KeyboardInterrupt):
        made.run(cut())
    assert isinstance(made.renderer, PlainRenderer)
    made.renderer.rendered.clear()
    report = made.run()
    assert (report.written, report.skipped) == (15 - at, at)
    assert len(made.renderer.rendered) == 15 - at, "what is done is not rendered again"
    assert made.contents() == whole.contents()


def test_files_that_were_damaged_meanwhile_are_made_again(tmp_path: Path) -> None:
    messages = many(10)
    whole = Production(tmp_path / "whole", messages)
    whole.run()
    made = Production(tmp_path / "cut", messages, renderer=PlainRenderer(ahead=1))

    def cut() -> Iterator[Outgoing]:
        yield from messages[:8]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.run(cut())
    journal = made.target / ".CASE-1.unfinished.jsonl"
    journal.write_bytes(journal.read_bytes()[:-30])  # the last line was torn by the kill
    victim = sorted((made.volume() / "data/PDF").iterdir())[4]
    victim.write_bytes(b"torn")
    (made.volume() / "data/PDF/.123.part").write_bytes(b"left over")
    report = made.run()
    assert report.skipped == 4
    assert made.contents() == whole.contents()


def test_a_whole_bundle_is_verified_and_not_touched(tmp_path: Path) -> None:
    made = Production(tmp_path, many(5))
    made.run()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    report = made.run([])
    assert (report.written, report.skipped, report.failed) == (0, 5, ())
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    native = next((made.volume() / "data/NATIVES").iterdir())
    native.write_bytes(native.read_bytes() + b"x")
    with pytest.raises(IntegrityError, match=native.name):
        made.run([])


def test_another_bundle_is_never_written_over(tmp_path: Path) -> None:
    Production(tmp_path, many(5)).run()
    with pytest.raises(ConfigError, match="something else"):
        Production(tmp_path, many(6)).run()
    (tmp_path / "other/CASE-1_VOL001").mkdir(parents=True)
    with pytest.raises(ConfigError, match="something else"):
        Production(tmp_path / "other", many(6)).run()


def test_a_volume_whose_first_is_gone_is_not_touched(tmp_path: Path) -> None:
    made = Production(tmp_path, many(30), Order("CASE-1", volume_size=20_000))
    assert len(made.run().files) > 1
    made.volume(1).rename(tmp_path / "elsewhere")
    before = made.contents()
    with pytest.raises(ConfigError, match="VOL002 is there already"):
        Production(tmp_path, many(2)).run()
    assert made.contents() == before


def test_volumes_an_earlier_try_needed_are_taken_away(tmp_path: Path) -> None:
    messages = many(3)

    def cut() -> Iterator[Outgoing]:
        yield from messages[:1]
        raise KeyboardInterrupt

    made = Production(tmp_path, messages, renderer=PlainRenderer(ahead=1))
    with pytest.raises(KeyboardInterrupt):
        made.run(cut())
    (made.volume(2) / "data/PDF").mkdir(parents=True)
    assert made.run().files == (Path("CASE-1_VOL001"),)
    assert not made.volume(2).exists()


def test_an_unfinished_bundle_of_another_order_is_kept(tmp_path: Path) -> None:
    def cut() -> Iterator[Outgoing]:
        yield from many(2)
        raise KeyboardInterrupt

    made = Production(tmp_path, many(5))
    with pytest.raises(KeyboardInterrupt):
        made.run(cut())
    with pytest.raises(ConfigError, match="unfinished bundle of another query"):
        Production(tmp_path, many(6)).run()


def test_a_strangers_file_is_not_taken_in(tmp_path: Path) -> None:
    messages = many(3)

    def cut() -> Iterator[Outgoing]:
        yield from messages[:2]
        raise KeyboardInterrupt

    made = Production(tmp_path, messages, renderer=PlainRenderer(ahead=1))
    with pytest.raises(KeyboardInterrupt):
        made.run(cut())
    (made.volume() / "data/NATIVES/notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"notes\.txt is no part"):
        made.run()
    assert (made.volume() / "data/NATIVES/notes.txt").read_text() == "mine"


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = many(4)

    def full(*_: object) -> None:
        raise QuotaError("the disk of the export is full")

    made = Production(tmp_path, messages)
    with monkeypatch.context() as patch:
        patch.setattr(files, "write", full)
        with pytest.raises(QuotaError):
            made.run()
    assert made.run().written == 4


def test_nothing_found_is_a_bundle_that_says_so(tmp_path: Path) -> None:
    made = Production(tmp_path, [])
    assert made.run().files == (Path("CASE-1_VOL001"),)
    assert made.dat() == []


def test_without_pages(tmp_path: Path) -> None:
    made = Production(tmp_path, many(4), Order("CASE-1", pdf=False), renderer=None)
    made.run()
    assert not (made.volume() / "data/PDF").exists()
    assert {record["PAGECOUNT"] for record in made.dat()} == {""}


def test_evidence_lies_in_every_volume(tmp_path: Path) -> None:
    messages = many(30)
    evidence = Evidence(
        {"root.pem": b"key", "manifests/1.json": b"{}"},
        lambda message: None if message == messages[0].id else {"message": message, "path": []},
        ("python3 data/EVIDENCE/verify_proofs.py",),
    )
    made = Production(tmp_path, messages, Order("CASE-1", volume_size=20_000), evidence=evidence)
    count = len(made.run().files)
    proved = []
    for number in range(1, count + 1):
        folder = made.volume(number) / "data/EVIDENCE"
        assert (folder / "manifests/1.json").read_bytes() == b"{}"
        proved += [json.loads(line)["message"] for line in (folder / "proofs.jsonl").read_bytes().splitlines()]
        assert "verify_proofs.py" in (made.volume(number) / "VERIFY.txt").read_text()
    assert proved == [message.id for message in messages[1:]]


def test_messages_of_any_shape_and_texts_of_any_kind(tmp_path: Path) -> None:
    messages = [contract.outgoing(raw) for raw in contract.BODIES] + contract.hostile_messages()
    made = Production(tmp_path / "out", messages)
    assert made.run().written == len(messages)
    natives = [path.read_bytes() for path in (made.volume() / "data/NATIVES").iterdir()]
    assert sorted(natives) == sorted(bytes(message.raw) for message in messages)
    assert list(bag.problems(made.volume())) == []
    assert {record["SHA256HASH"] for record in made.dat() if record["DOCTYPE"] == "E-mail"} == {m.id for m in messages}
    for path in made.contents():
        assert re.fullmatch(r"[A-Za-z0-9_./-]+", path), path


def test_a_mapped_message(tmp_path: Path) -> None:
    raw = mail("huge", "x" * 200_000)
    (tmp_path / "spool").write_bytes(raw)
    with (tmp_path / "spool").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        made = Production(tmp_path / "out", [replace(outgoing(raw), raw=mapped)])
        assert made.run().written == 1
    assert (made.volume() / "data/NATIVES/MAIL00000001.eml").read_bytes() == raw


@pytest.mark.parametrize("case", ["", "../x", "a/b", "-x", "合同", "x" * 41, "a b"])
def test_a_case_is_part_of_a_name(case: str) -> None:
    with pytest.raises(ConfigError):
        Order(case)


def test_a_prefix_is_part_of_a_name() -> None:
    with pytest.raises(ConfigError):
        Numbers("a/b")
    with pytest.raises(ConfigError):
        Numbers("A", -1)
