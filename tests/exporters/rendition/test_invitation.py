"""Invitations on the page: what the calendar part says, whatever is in it."""

from __future__ import annotations

import time

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.mime import parse
from archiver.model import Address
from exporters.rendition.attempt import attempt
from exporters.rendition.interface import Tier
from exporters.rendition.invitation import ATTENDEES, EVENTS, READ, Attendee, Meeting, meetings
from exporters.rendition.structure_text import text_of
from tests.exporters.rendition.invitations import (
    CHINESE,
    GOOGLE,
    OUTLOOK,
    calendar_bytes,
    chinese_invitation,
    google_cancellation,
    invited,
    outlook_invitation,
)
from tests.exporters.rendition.mails import new, outgoing


def of(raw: bytes) -> list[Meeting]:
    return meetings(parse(raw).attachments)


def read(calendar: bytes) -> list[Meeting]:
    return of(invited("x", "y", calendar))


def event(*lines: str, before: str = "") -> Meeting:
    text = f"BEGIN:VCALENDAR\n{before}BEGIN:VEVENT\n" + "\n".join(lines) + "\nEND:VEVENT\nEND:VCALENDAR\n"
    (found,) = read(calendar_bytes(text))
    return found


def shown(raw: bytes, tier: Tier = Tier.HTML) -> str:
    return " ".join(text_of(attempt(outgoing(raw), tier).pdf).split())


def test_outlook() -> None:
    (found,) = of(outlook_invitation())
    assert found == Meeting(
        "REQUEST",
        "Price talks, PI 2024-7; second round",
        "2024-03-05 15:00 – 16:30 W. Europe Standard Time",
        False,
        "FREQ=WEEKLY;UNTIL=20240430T130000Z;INTERVAL=1;BYDAY=TU;WKST=MO",
        "Hamburg, Speicherstadt 12, Room 4.12",
        Address("Anna Becker", "a.becker@nordwind.example"),
        (
            Attendee(Address("Li, Wei", "li.wei@huaxin.example"), "NEEDS-ACTION"),
            Attendee(Address("Room 4.12", "room412@nordwind.example"), "ACCEPTED"),
        ),
        0,
        "CONFIRMED",
    )


def test_google_calls_off_and_says_so_twice() -> None:
    (found,) = of(google_cancellation())
    assert (found.method, found.status, found.when) == ("CANCEL", "CANCELLED", "2024-04-11 08:00 – 09:00 UTC")
    assert found.attendees == (Attendee(Address("", "sales@nordwind.example"), "DECLINED"),)


def test_chinese_is_folded_inside_its_letters_and_a_zone_without_summer_time_has_its_offset() -> None:
    data = calendar_bytes(CHINESE, 41)
    with pytest.raises(UnicodeDecodeError):
        [line.decode() for line in data.split(b"\r\n")]
    (found,) = read(data)
    assert (found.subject, found.where) == ("第二季度采购合同评审会", "宁波总部三楼会议室")
    assert found.when == "2024-03-05 15:00 – 17:00 China Standard Time (UTC+08:00)"
    assert [attendee.person.name for attendee in found.attendees] == ["销售部 王芳", "张经理"]


def test_another_charset_by_its_label() -> None:
    message = new("x")
    message.set_content("y")
    part = CHINESE.replace("\n", "\r\n").encode("gb18030")
    message.add_attachment(part, maintype="text", subtype="calendar", params={"charset": "gb18030"})
    (found,) = of(bytes(message))
    assert found.subject == "第二季度采购合同评审会"


@pytest.mark.parametrize(
    ("lines", "when", "all_day"),
    [
        (("DTSTART;VALUE=DATE:20240305", "DTEND;VALUE=DATE:20240306"), "2024-03-05", True),
        (("DTSTART;VALUE=DATE:20240305", "DTEND;VALUE=DATE:20240308"), "2024-03-05 – 2024-03-07", True),
        (("DTSTART;VALUE=DATE:20240305", "DURATION:P2D"), "2024-03-05 – 2024-03-06", True),
        (("DTSTART:20240305T150000", "DURATION:PT1H30M"), "2024-03-05 15:00 – 16:30", False),
        (("DTSTART:20240305T230000Z", "DTEND:20240306T010000Z"), "2024-03-05 23:00 – 2024-03-06 01:00 UTC", False),
        (("DTSTART;TZID=Asia/Shanghai:20240305T150000",), "2024-03-05 15:00 Asia/Shanghai", False),
        (('DTSTART;TZID="(UTC+08:00) Beijing":20240305T1500',), "2024-03-05 15:00 (UTC+08:00) Beijing", False),
        (("DTSTART:20241399T997700Z",), "20241399T997700Z", False),
        (("DTSTART:tomorrow",), "tomorrow", False),
        (("DTSTART:99991231T235900", "DURATION:P99999W"), "9999-12-31 23:59", False),
        (("DTSTART;VALUE=DATE:00010101", "DTEND;VALUE=DATE:00010101"), "0001-01-01", True),
        (("DTSTART:20240305T150000", "DTEND;VALUE=DATE:20240306"), "2024-03-05 15:00", False),
        (("SUMMARY:no time at all",), "", False),
    ],
)
def test_when(lines: tuple[str, ...], when: str, all_day: bool) -> None:
    found = event(*lines)
    assert (found.when, found.all_day) == (when, all_day)


def test_escapes_and_quotes() -> None:
    found = event(
        "ORGANIZER;CN=\"Anna: ^'boss^', sales\";X=1:mailto:anna@x.example", "SUMMARY:a\\, b\\; c\\\\d\\nnext: e"
    )
    assert found.organiser == Address('Anna: "boss", sales', "anna@x.example")
    assert found.subject == "a, b; c\\d next: e"
    assert event("ORGANIZER:https://x.example/anna").organiser == Address("", "https://x.example/anna")


def test_what_is_inside_an_alarm_or_an_attached_message_is_not_the_meeting() -> None:
    assert event("BEGIN:VALARM", "SUMMARY:alarm", "END:VALARM", "SUMMARY:meeting").subject == "meeting"
    message = new("Fwd")
    message.set_content("see below")
    inner = new("inner")
    inner.set_content("x")
    inner.add_attachment(calendar_bytes(GOOGLE), maintype="text", subtype="calendar")
    message.add_attachment(inner)
    assert of(bytes(message)) == []
    assert len(of(bytes(inner))) == 1


def test_many_meetings_and_attendees_are_bounded_and_counted() -> None:
    attendees = "".join(f"ATTENDEE:mailto:a{n}@x.example\n" for n in range(ATTENDEES + 40))
    text = "BEGIN:VCALENDAR\n" + "".join(
        f"BEGIN:VEVENT\nSUMMARY:{n}\n{attendees if n == 0 else ''}END:VEVENT\n" for n in range(200)
    )
    found = read(calendar_bytes(text))
    assert len(found) == EVENTS + 1
    assert (len(found[0].attendees), found[0].more) == (ATTENDEES, 40)
    page = shown(invited("x", "y", calendar_bytes(text)))
    assert "a59@x.example; … and 480 more, 540 in all" in page
    assert "further meetings" in page


@pytest.mark.parametrize(
    "piece",
    [
        b"BEGIN:VEVENT\r\n",
        b"A" * 100,
        b"\r\n ",
        b'X;Y="',
        b"ATTENDEE:x\r\n",
        b"\xff\xfe",
        b"DTSTART:2024\r\n",
        b":\r\n",
        b"\\",
    ],
)
def test_ten_megabytes_of_anything_take_no_time(piece: bytes) -> None:
    begin = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:first\r\n"
    parts = parse(invited("x", "y", begin + piece * (10_000_000 // len(piece)))).attachments
    begun = time.process_time()
    found = meetings(parts)
    assert time.process_time() - begun < 3
    assert len(found) <= EVENTS + 1
    assert all(len(meeting.subject) <= READ for meeting in found)


@given(st.lists(st.sampled_from([*OUTLOOK.splitlines(), *GOOGLE.splitlines()]), max_size=60), st.binary(max_size=200))
def test_no_calendar_raises(lines: list[str], noise: bytes) -> None:
    data = calendar_bytes("\n".join(["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines]) or "x")
    for whole in (data + noise, noise + data, data[: len(noise) * 7]):
        for meeting in read(whole):
            assert isinstance(meeting.when, str)


def test_the_page_says_what_when_where_and_who() -> None:
    page = shown(outlook_invitation())
    for told in (
        "Meeting: invitation",
        "Price talks, PI 2024-7; second round",
        "2024-03-05 15:00 – 16:30 W. Europe Standard Time",
        "FREQ=WEEKLY;UNTIL=20240430T130000Z",
        "Hamburg, Speicherstadt 12, Room 4.12",
        "Anna Becker <a.becker@nordwind.example>",
        "Li, Wei <li.wei@huaxin.example> (not answered)",
        "Agenda follows.",
    ):
        assert told in page, told
    called_off = shown(google_cancellation())
    assert called_off.count("Meeting: cancellation") == 1
    assert "State cancelled" in called_off and "(declined)" in called_off


@pytest.mark.parametrize("tier", [Tier.HTML, Tier.TEXT, Tier.HEADER])
def test_the_page_of_a_chinese_meeting_speaks_chinese_beside_english_at_every_tier(tier: Tier) -> None:
    page = shown(chinese_invitation(), tier)
    for told in ("Meeting: invitation 会议邀请", "When 时间", "Where 地点", "宁波总部三楼会议室", "tentative 暂定"):
        assert told in page, told


def test_a_calendar_alone_decides_the_language() -> None:
    assert "会议邀请" in shown(invited("Invitation", "\n", calendar_bytes(CHINESE)))


def test_what_stands_in_a_calendar_is_text() -> None:
    hostile = event("SUMMARY:<script>alert(1)</script><b>bold\u202ecod")
    assert hostile.subject.startswith("<script>")
    text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:<b>bold</b> \u202ecod\nLOCATION:" + "x" * 9_000 + "\nEND:VEVENT\n"
    page = shown(invited("x", "y", calendar_bytes(text)))
    assert "<b>bold</b> [U+202E]cod" in page
    assert "x" * 900 in page.replace(" ", "") and "x" * 1_001 not in page.replace(" ", "")


def test_a_page_that_is_scaled_down_keeps_the_meeting_as_large_as_ever() -> None:
    columns = "".join(f"<td width=150>Column {number}</td>" for number in range(12))
    message = new("wide")
    message.set_content(f"<table border=1 width=1600><tr>{columns}</tr></table>", subtype="html")
    message.add_attachment(calendar_bytes(OUTLOOK), maintype="text", subtype="calendar")
    heights = [
        _height(attempt(outgoing(raw), tier).pdf)
        for raw, tier in ((outlook_invitation(), Tier.HTML), (bytes(message), Tier.WIDE))
    ]
    assert heights[0] == pytest.approx(heights[1], rel=0.05)


def _height(pdf: bytes) -> float:
    """Of the word "Organiser", in points."""
    document = pypdfium2.PdfDocument(pdf)
    text = document[0].get_textpage()
    index, _ = text.search("Organiser").get_next()
    _, bottom, _, top = text.get_charbox(index, loose=True)
    return float(top - bottom)
