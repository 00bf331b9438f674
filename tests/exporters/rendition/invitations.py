"""Invitations as Outlook, Google Calendar and a Chinese Exchange write them, made anew for each test."""

from __future__ import annotations

from email.message import EmailMessage

from tests.exporters.rendition.mails import new

OUTLOOK = """BEGIN:VCALENDAR
METHOD:REQUEST
PRODID:Microsoft Exchange Server 2010
VERSION:2.0
BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
ORGANIZER;CN=Anna Becker:MAILTO:a.becker@nordwind.example
ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN="Li, Wei":
 MAILTO:li.wei@huaxin.example
ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=TRUE;CN=Room 4.12:MAIL
 TO:room412@nordwind.example
DESCRIPTION;LANGUAGE=en-US:Agenda follows.\\n
RRULE:FREQ=WEEKLY;UNTIL=20240430T130000Z;INTERVAL=1;BYDAY=TU;WKST=MO
SUMMARY;LANGUAGE=en-US:Price talks\\, PI 2024-7\\; second round
DTSTART;TZID=W. Europe Standard Time:20240305T150000
DTEND;TZID=W. Europe Standard Time:20240305T163000
UID:040000008200E00074C5B7101A82E008
CLASS:PUBLIC
DTSTAMP:20240301T101500Z
STATUS:CONFIRMED
LOCATION;LANGUAGE=en-US:Hamburg\\, Speicherstadt 12\\, Room 4.12
BEGIN:VALARM
DESCRIPTION:REMINDER
TRIGGER;RELATED=START:-PT15M
SUMMARY:not the subject
END:VALARM
END:VEVENT
END:VCALENDAR
"""
GOOGLE = """BEGIN:VCALENDAR
PRODID:-//Google Inc//Google Calendar 70.9054//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:CANCEL
BEGIN:VEVENT
DTSTART:20240411T080000Z
DTEND:20240411T090000Z
DTSTAMP:20240411T061944Z
ORGANIZER;CN=Andris Meyer:mailto:andris@post.example
UID:4n7o8kq1@google.com
ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=DECLINED;RSVP=
 TRUE;CN=sales@nordwind.example;X-NUM-GUESTS=0:mailto:sales@nordwind.example
LOCATION:https://meet.example/yew-afgi-ynf
STATUS:CANCELLED
SUMMARY:Test event ⏰
END:VEVENT
END:VCALENDAR
"""
CHINESE = """BEGIN:VCALENDAR
METHOD:REQUEST
PRODID:Microsoft Exchange Server 2010
VERSION:2.0
BEGIN:VTIMEZONE
TZID:China Standard Time
BEGIN:STANDARD
DTSTART:16010101T000000
TZOFFSETFROM:+0800
TZOFFSETTO:+0800
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T000000
TZOFFSETFROM:+0800
TZOFFSETTO:+0800
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
ORGANIZER;CN=李伟:MAILTO:li.wei@huaxin.example
ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=销售部 王芳:MAILTO:wang.fang@huaxin.example
ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=TENTATIVE;RSVP=TRUE;CN=张经理:MAILTO:zhang@huaxin.example
SUMMARY;LANGUAGE=zh-CN:第二季度采购合同评审会
DTSTART;TZID=China Standard Time:20240305T150000
DTEND;TZID=China Standard Time:20240305T170000
UID:040000008200E00074C5B7101A82E009
LOCATION;LANGUAGE=zh-CN:宁波总部三楼会议室
END:VEVENT
END:VCALENDAR
"""


def calendar_bytes(text: str, width: int = 75) -> bytes:
    """As it is sent: CRLF, folded at `width` bytes, be it inside a character (RFC 5545 section 3.1)."""
    lines = []
    for line in text.splitlines():
        data = line.encode()
        rest = range(width, len(data), width - 1)
        lines += [data[:width], *(b" " + data[at : at + width - 1] for at in rest)]
    return b"\r\n".join(lines) + b"\r\n"


def invited(subject: str, body: str, calendar: bytes, *, twice: bool = False) -> bytes:
    """A message with its calendar part among the alternatives, and as a file beside when `twice`."""
    message = new(subject)
    message.set_content(body)
    part = EmailMessage()
    part.set_content(calendar, maintype="text", subtype="calendar", cte="base64")
    part.set_param("charset", "utf-8")
    message.make_alternative()
    message.attach(part)
    if twice:
        message.add_attachment(calendar, maintype="application", subtype="ics", filename="invite.ics")
    return bytes(message)


def outlook_invitation() -> bytes:
    """An invitation to a series, in English."""
    return invited("Price talks, PI 2024-7", "Agenda follows.\n", calendar_bytes(OUTLOOK))


def google_cancellation() -> bytes:
    """A meeting called off; the same calendar twice."""
    return invited(
        "Cancelled event: Test event ⏰", "This event has been cancelled.\n", calendar_bytes(GOOGLE), twice=True
    )


def chinese_invitation() -> bytes:
    """An invitation in Chinese."""
    return invited("第二季度采购合同评审会", "请各位准时参加，并携带合同原件。\n", calendar_bytes(CHINESE))
