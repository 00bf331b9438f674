"""The metadata packet, and the information dictionary that agrees with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.rendition.structure_xmp import metadata_problems
from exporters.rendition.xmp import NAMESPACE, Facts, information, legal, packet, pdf_date, xmp_date

MOMENT = datetime(2024, 3, 4, 9, 30, 15, 999, tzinfo=timezone(timedelta(hours=8)))


def problems(facts: Facts) -> list[str]:
    return list(metadata_problems(packet(facts), information(facts)))


def test_dates_are_utc_to_the_second() -> None:
    assert xmp_date(MOMENT) == "2024-03-04T01:30:15Z"
    assert pdf_date(MOMENT) == "D:20240304013015Z"


def test_the_packet_is_utf_8_with_its_markers() -> None:
    data = packet(Facts("合同", "Mailark"))
    assert data.startswith(b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n')
    assert data.endswith(b'<?xpacket end="r"?>')
    assert "合同" in data.decode()


def test_own_properties_are_described_and_only_those() -> None:
    own = {"sha256": "ab", "tier": "1", "messages": "3"}
    facts = Facts("t", "p", created=MOMENT, own=own)
    root = ElementTree.fromstring(packet(facts))
    assert {element.tag: element.text for element in root.iter() if NAMESPACE in element.tag} == {
        f"{{{NAMESPACE}}}{name}": value for name, value in own.items()
    }
    names = [element.text for element in root.iter("{http://www.aiim.org/pdfa/ns/property#}name")]
    assert names == list(own)
    assert problems(facts) == []


def test_without_own_properties_there_is_no_schema() -> None:
    assert b"pdfaExtension" not in packet(Facts("t", "p"))
    assert problems(Facts("t", "p")) == []


def test_a_property_that_no_schema_describes() -> None:
    with pytest.raises(KeyError):
        packet(Facts("t", "p", own={"colour": "red"}))


@given(
    st.text(),
    st.text(),
    st.text(),
    st.none() | st.datetimes(datetime(1970, 1, 2), datetime(2999, 12, 30), timezones=st.just(UTC)),
)
def test_any_text_gives_a_packet_that_says_the_same_as_the_dictionary(
    title: str, author: str, own: str, created: datetime | None
) -> None:
    facts = Facts(title, "Mailark", author, created, {"subject": own, "from": author})
    assert problems(facts) == []


@given(st.text(st.characters(categories=["Cs", "Cc", "Cf", "Lu", "Lo"])))
def test_legal_text_is_one_line_of_xml(text: str) -> None:
    found = legal(text)
    assert len(found) <= 2_000
    ElementTree.fromstring(f"<x>{found.replace('&', '').replace('<', '')}</x>".encode())
    assert not set("\n\r\t\x00\u202e\u2066\ufeff") & set(found)
    assert legal(found) == found
