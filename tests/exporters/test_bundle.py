"""The bundle as a whole, on a press that prints plain pages: what lies in it, and where."""

from __future__ import annotations

import hashlib
import json
import mmap
import re
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from archiver.errors import ConfigError
from archiver.model import Verdict
from exporters.production import bag
from exporters.production.evidence import Evidence
from exporters.production.lists import Ground, Lists
from exporters.production.numbering import Numbers
from exporters.production.order import Kept, Order, Search
from exporters.production.record import FIELDS
from tests.contracts import exporter as contract
from tests.exporters.production.kit import (
    START,
    Production,
    attached,
    mail,
    many,
    outgoing,
    part,
    pdf,
    place,
)


def test_layout_and_records(tmp_path: Path) -> None:
    raw = mail(
        "采购合同",
        "x" * 450,
        [part("a.pdf", pdf(1), "application/pdf"), attached(mail("inner", "inner text", [part("deep.txt", b"deep")]))],
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
            "SHA256HASH": hashlib.sha256(raw).hexdigest(),
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
        assert (hashlib.sha256(native).hexdigest(), str(len(native))) == (record["SHA256HASH"], record["FILESIZE"])
        assert (data / record["TEXTPATH"].replace("\\", "/")).is_file()
        if record["PDFPATH"]:
            pages = (data / record["PDFPATH"].replace("\\", "/")).read_bytes()
            assert hashlib.sha256(pages).hexdigest() == record["PDFSHA256"]


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


def test_no_proof_is_asked_for_where_no_message_is_produced(tmp_path: Path) -> None:
    """verify_proofs.py fails where there is nothing to prove; a volume of withheld messages must not ask for it."""
    messages = many(12)
    evidence = Evidence({"root.pem": b"key"}, lambda message: {"message": message}, ("python3 verify_proofs.py",))
    lists = Lists({message.id: Ground("advice", "attorney-client") for message in messages[6:]})
    order = Order("CASE-1", volume_size=8_000, lists=lists)
    made = Production(tmp_path, messages, order, evidence=evidence)
    volumes = [made.volume(number) for number in range(1, len(made.run().files) + 1)]
    natives = [any((volume / "data/NATIVES").glob("*")) for volume in volumes]
    assert natives == ["verify_proofs.py" in (volume / "VERIFY.txt").read_text() for volume in volumes]
    assert set(natives) == {True, False}


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
    with pytest.raises(ConfigError) as raised:
        Order(case)
    assert "letters A to Z" in raised.value.hint, "合 is a letter, too"


def test_a_prefix_is_part_of_a_name() -> None:
    with pytest.raises(ConfigError):
        Numbers("a/b")
    with pytest.raises(ConfigError):
        Numbers("A", -1)
