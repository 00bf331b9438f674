"""Threads of a trading company's mail: a thread follows from the seed and its number alone, in any process."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.benchmarks import documents, words
from tests.benchmarks.envelope import Draft, build

FOLDERS = (
    "INBOX", "Sent", "Archive/2023", "Archive/2024", "Archive/2025", "Newsletters", "客户/华东贸易", "客户/海外",
    "供应商", "合同", "物流通知", "Junk", "Trash",
)  # fmt: skip
START = 1_672_531_200  # 1 January 2023
YEARS = 3
DAY = 86_400
QUOTED_LIMIT = 6_000


@dataclass(frozen=True, slots=True)
class Placed:
    """One file of the Maildir. `account` counts from 0, `flags` are Maildir letters, `time` is Unix seconds."""

    account: int
    folder: str
    flags: str
    time: int
    raw: bytes


def size_of(seed: str, number: int) -> int:
    """How many messages thread `number` puts into folders, without writing it."""
    return random.Random(f"{seed} length {number}").choice((1, 1, 1, 1, 1, 1, 2, 3, 4, 6, 9))


def thread(seed: str, number: int, accounts: int) -> Iterator[Placed]:
    """Exactly `size_of` messages."""
    rng = random.Random(f"{seed} thread {number}")
    count = size_of(seed, number)
    if count == 1 and rng.random() < 0.7:
        yield _newsletter(rng, number, accounts)
        return
    yield from _deal(rng, number, count, accounts)


def _charset(rng: random.Random, language: str) -> str:
    if language == "en":
        return rng.choice(("us-ascii", "us-ascii", "utf-8"))
    return rng.choices(("utf-8", "gb18030", "gb2312", "big5"), (58, 20, 17, 5))[0]


def _first(rng: random.Random, number: int, language: str) -> Draft:
    year = rng.randrange(YEARS)
    time = START + year * 365 * DAY + rng.randrange(340 * DAY)
    ours_name, ours = words.person(rng, "zh")
    theirs_name, theirs = words.person(rng, language)
    domain = f"customer{rng.randrange(documents.LOGOS)}.example.org"
    return Draft(
        f"{theirs}@{domain}", theirs_name, f"{ours}@example.com", ours_name, words.subject(rng, language, 2023 + year),
        f"<{rng.getrandbits(96):024x}@{domain}>", (), time,
        _charset(rng, language), "", "",
    )  # fmt: skip


def _newsletter(rng: random.Random, number: int, accounts: int) -> Placed:
    language = rng.choice(("zh", "en"))
    text = words.paragraphs(rng, language, rng.randint(800, 5200))
    draft = replace(_first(rng, number, language), text=text, newsletter=True, sender="news@news.example.net")
    folder = rng.choices(("Newsletters", "INBOX", "Junk", "Trash"), (60, 25, 10, 5))[0]
    return Placed(rng.randrange(accounts), folder, rng.choice(("", "S")), draft.time, build(draft, rng, 76))


def _deal(rng: random.Random, number: int, count: int, accounts: int) -> Iterator[Placed]:
    language = rng.choices(("zh", "en"), (60, 40))[0]
    draft = _first(rng, number, language)
    home, account = _home(rng, draft.time), rng.randrange(accounts)
    papers = tuple(documents.document(rng, 2024, language) for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 2))))
    if rng.random() < 0.06:
        papers += (documents.shared(rng.randrange(documents.SHARED)),)
    logo = documents.logo(rng.randrange(documents.LOGOS)) if rng.random() < 0.3 else None
    quoted, last = "", None
    for position in range(count):
        if last is not None and rng.random() < 0.12:
            yield _again(rng, last, accounts)
            continue
        text = _letter(rng, language, draft)
        carries = papers if rng.random() < (0.75 if position == 0 else 0.36) else ()
        inline = logo if rng.random() < 0.5 else None
        turn = replace(draft, text=text, quoted=quoted if rng.random() < 0.6 else "", attachments=carries, logo=inline)
        raw = build(turn, rng, rng.choices((76, 72, 60), (80, 12, 8))[0])
        folder = "Sent" if position % 2 else home
        last = Placed(account, folder, rng.choices(("S", "RS", "FS", ""), (70, 20, 5, 5))[0], turn.time, raw)
        yield last
        quoted = _quote(turn)
        draft = _reply(rng, turn)


def _home(rng: random.Random, time: int) -> str:
    archive = f"Archive/{2023 + (time - START) // (365 * DAY)}"
    folders = ("INBOX", archive, "客户/华东贸易", "客户/海外", "供应商", "合同", "物流通知", "Trash")
    return rng.choices(folders, (40, 22, 9, 9, 8, 5, 5, 2))[0]


def _again(rng: random.Random, last: Placed, accounts: int) -> Placed:
    """The same message once more: filed into a second folder, or delivered to a colleague with headers of its own."""
    if accounts > 1 and rng.random() < 0.5:
        received = b"Delivered-To: colleague-%d@example.com\n" % rng.randrange(40)
        return replace(last, account=(last.account + 1) % accounts, folder="INBOX", raw=received + last.raw)
    if rng.random() < 0.3:
        return replace(last, folder="INBOX", raw=b"Delivered-To: team-%d@example.com\n" % rng.randrange(40) + last.raw)
    return replace(last, folder=rng.choice(("合同", "Archive/2025")), flags="S")


def _letter(rng: random.Random, language: str, draft: Draft) -> str:
    greeting = f"{draft.receiver_name}，您好：" if language == "zh" else f"Dear {draft.receiver_name},"
    body = words.paragraphs(rng, language, max(12, int(rng.lognormvariate(3.5, 1.4))))
    closing = "顺祝商祺" if language == "zh" else "Best regards,"
    signature = f"{draft.sender_name}\n{draft.sender}\nTel: +86 574 8{draft.time % 10_000_000:07d}"
    return f"{greeting}\n\n{body}\n\n{closing}\n{signature}"


def _quote(turn: Draft) -> str:
    before = f"\n{turn.quoted}" if turn.quoted else ""
    lines = f"From: {turn.sender_name} <{turn.sender}>\nSubject: {turn.subject}\n{turn.text}{before}"[:QUOTED_LIMIT]
    return "\n".join("> " + line for line in lines.split("\n"))


def _reply(rng: random.Random, turn: Draft) -> Draft:
    prefix = "" if turn.subject.startswith(("Re:", "回复：")) else "Re: "
    turned = replace(turn, sender=turn.receiver, sender_name=turn.receiver_name)
    return replace(
        turned,
        receiver=turn.sender,
        receiver_name=turn.sender_name,
        subject=prefix + turn.subject,
        message_id=f"<{rng.getrandbits(96):024x}@example.com>",
        references=(*turn.references, turn.message_id),
        time=turn.time + rng.randrange(600, 3 * DAY),
    )
