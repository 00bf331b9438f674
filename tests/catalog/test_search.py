"""Search: what every kind of query finds, in which order, and that it agrees with a naive reader."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.catalog.interface import Hit
from archiver.catalog.sqlite import SqliteCatalog
from archiver.errors import ConfigError
from archiver.model import (
    Address,
    AttachmentInfo,
    CertificateEntry,
)
from tests.catalog.entries import CONTRACT, KEY, START, day, digest, fill, ids, message, place
from tests.catalog.naive import holds, runs

SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_a_hit_tells_everything(catalog: SqliteCatalog) -> None:
    fill(catalog, CONTRACT, place("contract", flags=("\\Seen", "$Label1")))
    (hit,) = catalog.search("合同")
    assert hit == Hit(
        id=digest("contract"),
        size=1000,
        pack="packs/p",
        subject="采购合同 PI-2024-0815",
        from_=(Address("李伟", "li.wei@example.com"),),
        to=(Address("Hans Müller", "mueller@kunde.example"), Address("", "sales@kunde.example")),
        date=START,
        message_id="a.b@example.com",
        attachments=(AttachmentInfo("合同-final.pdf", "application/pdf", 12345),),
        places=tuple(catalog.places(digest("contract"))),
        verdicts=CONTRACT.verdicts,
    )
    assert hit.places[0].flags == ("\\Seen", "$Label1")
    assert catalog.get(digest("contract")) == hit
    assert catalog.get(digest("contract")[:7].upper()) == hit


FOUND = r"""
合同 · 采购合同 · 购合 · 同 · 查收 · pi-2024-0815 · 0815 · PI* · thanks · 合同 thanks · "请查收采购合同"
subject:采购 · from:李伟 · from:li.wei@example.com · from:example.com · to:muller · to:sales · cc:张敏
filename:final.pdf · file:合同 · has:attachment · text:thanks · larger:999 · smaller:1001 · date:2024
message-id:<a.b@example.com> · message-id:a.b@example.com · date:2024-08-15 · after:2024-08-15
before:2024-08-16 · account:li@* · account:LI@EXAMPLE.COM · folder:inbox · folder:in?ox · flag:\Seen
flag:seen · flag:SEEN · flag:$label1 · folder:INBOX account:li@example.com flag:seen · nothing OR 合同
合同 -nothing · NOT flag:flagged · （合同 OR nothing） “查收”
from:李伟 subject:采购 -subject:nothing has:attachment folder:INBOX
dkim:pass · dkim:not-checked · DKIM:"Not Checked" dkim:pass · arc:none · NOT dkim:fail · -arc:pass
"""
NOT_FOUND = r"""
nothing · 合购 · 采合 · PI-2024-081 · -合同 · subject:查收 · text:0816 · from:张敏 · to:李伟 · cc:李伟
dkim:fail · dkim:none · arc:pass · NOT arc:none
filename:thanks · larger:1000 · smaller:1000 · date:2023 · date:2024-08-14 · date:2024-08-16
after:2024-08-16 · before:2024-08-15 · account:li · folder:IN · folder:INBOX/* · folder:% · folder:_NBOX
flag:see · flag:flagged · flag:Seen*x · 合同 nothing · 合同 folder:Sent · NOT flag:seen · NOT has:attachment
message-id:b@example.com · id:0000
"""


def listed(queries: str) -> list[str]:
    """The queries between dots and line ends."""
    return queries.strip().replace("\n", " · ").split(" · ")


@pytest.mark.parametrize(
    ("query", "count"),
    [("", 1), *((query, 1) for query in listed(FOUND)), *((query, 0) for query in listed(NOT_FOUND))],
    ids=lambda v: str(v),
)
def test_search(catalog: SqliteCatalog, query: str, count: int) -> None:
    fill(catalog, CONTRACT, place("contract", flags=("\\Seen", "$Label1")))
    for sort in ("date", "-date", "relevance", "size"):
        assert len(catalog.search(query, sort=sort)) == count


def test_what_is_asked_of_places_must_be_true_of_one_place(catalog: SqliteCatalog) -> None:
    fill(catalog, message(), place(folder="A", flags=("\\Seen",)), place(folder="B", account="z@example.com"))
    assert ids(catalog.search("folder:A flag:seen")) == [digest(1)]
    assert catalog.search("folder:B flag:seen") == []
    assert catalog.search("account:z@* folder:A") == []
    assert ids(catalog.search("folder:B (flag:seen)  OR  account:z@*")) == [digest(1)]


def test_days_begin_where_the_reader_is(path: Path) -> None:
    late = datetime(2024, 8, 15, 17, 30, tzinfo=timezone(timedelta(0)))  # 01:30 on the 16th in Shanghai
    for zone, query in ((SHANGHAI, "date:2024-08-16"), (ZoneInfo("UTC"), "date:2024-08-15")):
        with SqliteCatalog.open(path, KEY, zone=zone) as catalog:
            fill(catalog, message(date=late))
            assert len(catalog.search(query)) == 1
    with SqliteCatalog.open(path, KEY) as catalog:
        assert len(catalog.search("after:0001 before:9999-12-31")) == 1
        assert len(catalog.search("date:..9999")) == 1


def test_without_a_date_header_the_earliest_internaldate_counts(catalog: SqliteCatalog) -> None:
    fill(catalog, message(date=None), place(uid=2, date=day(9)), place(uid=1, date=day(3)))
    (hit,) = catalog.search("date:2024-08-18")
    assert hit.date == day(3)
    fill(catalog, message(2, date=None), message(3), place(3, uid=3, date=day(9)), seq=2)
    assert [hit.date for hit in catalog.search("")] == [day(3), START, None]
    assert [hit.date for hit in catalog.search("", sort="-date")] == [START, day(3), None]


def test_a_day_is_from_midnight_to_midnight(catalog: SqliteCatalog) -> None:
    midnight = datetime(2024, 8, 16, tzinfo=SHANGHAI)
    second = timedelta(seconds=1)
    fill(catalog, *(message(number, date=midnight + number * second) for number in (-1, 0, 86_399, 86_400)))
    assert ids(catalog.search("date:2024-08-16")) == [digest(86_399), digest(0)]
    assert ids(catalog.search("before:2024-08-16")) == [digest(-1)]
    assert ids(catalog.search("after:2024-08-17")) == [digest(86_400)]


def test_a_date_header_counts_before_the_internaldate(catalog: SqliteCatalog) -> None:
    fill(catalog, message(), place(date=day(-5)))
    assert catalog.search("date:2024-08-10") == []
    assert [hit.date for hit in catalog.search("date:2024-08-15")] == [START]


def test_order_and_limit(catalog: SqliteCatalog) -> None:
    rows = [message(n, "word " * n + "filler " * 9, size=1000 - n, date=day(n)) for n in range(1, 6)]
    fill(catalog, *rows, message(6, "x", subject="word", date=day(-1), size=1))
    assert ids(catalog.search("word")) == [digest(n) for n in (5, 4, 3, 2, 1, 6)]
    assert ids(catalog.search("word", sort="-date")) == [digest(n) for n in (6, 1, 2, 3, 4, 5)]
    assert ids(catalog.search("word", sort="size")) == [digest(n) for n in range(1, 7)]
    assert ids(catalog.search("word", sort="relevance"))[0] == digest(6)
    assert ids(catalog.search("word", limit=2)) == [digest(5), digest(4)]
    assert catalog.search("word", limit=0) == []
    with pytest.raises(ConfigError):
        catalog.search("word", sort="mood")


def test_get_by_the_beginning_of_an_id(catalog: SqliteCatalog) -> None:
    fill(catalog, message(), message(2, id=digest(1)[:10] + "0" * 54))
    with pytest.raises(ConfigError, match="several"):
        catalog.get(digest(1)[:10])
    hit = catalog.get(digest(1)[:11])
    assert hit is not None
    assert hit.id == digest(1)
    assert catalog.get("00000") is None
    for wrong in ("", "xyz", "0" * 65, "合"):
        with pytest.raises(ConfigError, match="no message id"):
            catalog.get(wrong)


def test_odd_text_is_taken_in(catalog: SqliteCatalog) -> None:
    odd = "a\0b \ud800 c'; DROP TABLE messages; -- \" 合\0同"
    fill(
        catalog,
        message(text=odd, subject=odd, message_id=odd, from_=(Address(odd, odd),), pack=odd,
                attachments=(AttachmentInfo(odd, odd, 1),)),
        place(account=odd, folder=odd, flags=(odd,)),
        CertificateEntry(odd, odd, 1, 1, 0, (odd,), START),
    )  # fmt: skip
    assert len(catalog.search("DROP TABLE")) == 1
    assert len(catalog.search("folder:*DROP*")) == 1
    assert len(catalog.search('"c\'; DROP"')) == 1
    assert catalog.certificates()[0].on_server == 1


def test_a_query_of_many_terms_and_levels(catalog: SqliteCatalog) -> None:
    fill(catalog, CONTRACT, place("contract"))
    assert len(catalog.search(" OR ".join(["nothing"] * 499 + ["合同"]))) == 1
    assert len(catalog.search(" ".join(["合同"] * 500))) == 1
    assert len(catalog.search(" OR ".join(f"id:{digest(n)}" for n in range(499)) + " OR folder:INBOX")) == 1
    assert len(catalog.search(" ".join("-nothing" for _ in range(500)))) == 1
    assert len(catalog.search("NOT (" * 20 + "合同" + ")" * 20)) == 1
    assert len(catalog.search("(合同 OR (folder:x " * 20 + "合同" + "))" * 20)) == 1
    assert catalog.search('"' + "合同" * 5000 + '"') == []


class _Shared:
    """One small catalog for the examples of Hypothesis, which must not share a fixture."""

    def __init__(self) -> None:
        self.folder: Path | None = None

    def path(self) -> Path:
        assert self.folder is not None
        return self.folder / "shared.db"


SHARED = _Shared()


@pytest.fixture(autouse=True, scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> None:
    SHARED.folder = tmp_path_factory.mktemp("catalog")
    with SqliteCatalog.open(SHARED.path(), KEY) as catalog:
        fill(catalog, CONTRACT, place("contract"))


@given(
    st.lists(
        st.sampled_from(
            ["合同", "folder:I*", "-", "(", ")", "OR", "date:2024", "x*", "has:attachment", '"a b"', "\0", "'"]
        ),
        max_size=8,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_query_is_answered_or_refused(words: list[str]) -> None:
    with SqliteCatalog.open(SHARED.path(), KEY) as catalog:
        try:
            catalog.search(" ".join(words), sort="relevance")
        except ConfigError:
            return


CORPUS = st.lists(st.text("合同采购 ab1-\n，é", max_size=15), min_size=1, max_size=6)


@given(CORPUS, st.lists(st.text("合同采购ab1-é", min_size=1, max_size=4), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_search_finds_what_a_naive_reader_finds(texts: list[str], parts: list[str]) -> None:
    path = SHARED.path().with_name("model.db")
    with SqliteCatalog.open(path, KEY) as catalog:
        catalog.forget_all()
        fill(catalog, *(message(number, text) for number, text in enumerate(texts)))
        for part in filter(runs, parts):
            hits = set(ids(catalog.search(f'"{part}"')))
            assert hits == {digest(number) for number, text in enumerate(texts) if holds(text, part)}
            started = set(ids(catalog.search(f'"{part}"*')))
            assert started == {digest(number) for number, text in enumerate(texts) if holds(text, part, start=True)}
