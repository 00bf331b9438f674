"""Keys from a real DNS server, which may be slow, silent or wrong."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from archiver.authenticity import checker, lookup
from archiver.authenticity.checker import Checker
from archiver.authenticity.lookup import Answer, DnsFinder, server
from tests.authenticity.signing import DOMAIN, NAME, NOW, pair, signed, signed_by_hand
from tests.servers.dns import DnsServer, dns_server

GONE = "no key in DNS (NXDOMAIN); it may have been withdrawn since"


@pytest.fixture
def served() -> Iterator[DnsServer]:
    with dns_server() as server:
        server.publish(NAME, pair().record)
        yield server


@pytest.fixture
def finder(served: DnsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[DnsFinder]:
    """As patient as a busy machine may need; tests of silence take less."""
    monkeypatch.setattr(lookup, "PATIENCE", 30.0)
    found = DnsFinder([served.address])
    yield found
    found.close()


def find(finder: DnsFinder, name: str = NAME) -> Answer:
    return finder.ask(name).result(60)


def test_a_key_of_several_strings_is_asked_for_once(served: DnsServer, finder: DnsFinder) -> None:
    assert len(served.texts[NAME][0]) == 2, "an RSA key takes two strings"
    assert find(finder) == Answer(pair().record)
    assert find(finder) == Answer(pair().record)
    assert served.asked == {NAME: 1}


def test_a_name_without_a_key_is_asked_for_once_too(served: DnsServer, finder: DnsFinder) -> None:
    assert [find(finder, "s._domainkey.gone.example") for _ in range(2)] == [Answer(b"", "permerror", GONE)] * 2
    served.faults["s._domainkey.empty.example"] = "empty"
    assert find(finder, "s._domainkey.empty.example").reason.startswith("no key in DNS (no TXT)")
    assert served.asked["s._domainkey.gone.example"] == 1


@pytest.mark.parametrize("follows", [True, False])
def test_aliases_are_followed(served: DnsServer, finder: DnsFinder, follows: bool) -> None:
    served.follows = follows
    served.aliases = {"s._domainkey.shop.example": "dkim.mailer.example", "dkim.mailer.example": NAME}
    assert find(finder, "s._domainkey.shop.example") == Answer(pair().record)
    served.aliases |= {"a.example": "b.example", "b.example": "a.example"}
    if not follows:
        assert find(finder, "a.example").result == "permerror", "a circle ends"


def test_of_several_records_the_key_is_taken(served: DnsServer, finder: DnsFinder) -> None:
    served.texts[NAME] = [[b"google-site-verification=abc"], [b"v=DKIM1; ", b"p=AAAA"]]
    assert find(finder) == Answer(b"v=DKIM1; p=AAAA")
    served.publish("long.example", b"v=DKIM1; p=" + b"A" * 9000)
    assert find(finder, "long.example") == Answer(b"", "permerror", "the key in DNS is too long")
    served.publish("bytes.example", b'v=DKIM1; n="\\\xff\x00; p=AAAA')
    assert find(finder, "bytes.example").record == b'v=DKIM1; n="\\\xff\x00; p=AAAA'


def test_an_answer_too_long_for_udp_comes_by_tcp(served: DnsServer, finder: DnsFinder) -> None:
    served.faults[NAME] = "truncated"
    assert find(finder) == Answer(pair().record)
    assert served.by_tcp[NAME] == 1


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED"])
def test_a_server_that_cannot_tell(served: DnsServer, finder: DnsFinder, code: str) -> None:
    served.faults[NAME] = code
    assert find(finder) == Answer(b"", "temperror", f"DNS could not find the key ({code})")
    assert find(finder, "other.example").result == "permerror", "DNS is asked again for others"


@pytest.mark.parametrize("fault", ["silent", "garbage"])
def test_one_name_without_an_answer_does_not_condemn_dns(
    served: DnsServer, finder: DnsFinder, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(lookup, "PATIENCE", 1.5)
    served.faults[NAME] = fault
    assert find(finder) == Answer(b"", "not checked", "no answer from DNS for this key in time")
    assert served.asked["."] == 1, "it was looked at whether DNS answers at all"
    assert find(finder, "other.example") == Answer(b"", "permerror", GONE)


def test_a_slow_answer_is_an_answer(served: DnsServer, finder: DnsFinder) -> None:
    served.faults[NAME] = "slow"
    assert find(finder) == Answer(pair().record)


def test_dead_dns_is_asked_no_more(served: DnsServer, finder: DnsFinder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waited in vain waits for the one probe: no second name is asked for by any thread."""
    monkeypatch.setattr(lookup, "PATIENCE", 0.6)
    served.dead = True
    started = time.monotonic()
    answers = [finder.ask(f"s._domainkey.d{number}.example") for number in range(200)]
    assert {answer.result(60) for answer in answers} == {Answer(b"", "not checked", "DNS does not answer")}
    seconds = time.monotonic() - started
    asked = len(served.asked)
    print(f"200 names, nobody answers: {seconds:.1f} s, {asked} asked for")
    assert asked <= lookup.AT_ONCE + 1


def test_a_closed_port_is_dead_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "PATIENCE", 0.6)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    finder = DnsFinder([f"127.0.0.1:{port}"])
    assert find(finder) == Answer(b"", "not checked", "DNS does not answer")
    finder.close()


def test_names_of_a_run_are_bounded(served: DnsServer, finder: DnsFinder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "MOST_NAMES", 2)
    names = ["a.example", "b.example", "c.example", "a.example"]
    results = [find(finder, name).result for name in names]
    assert results == ["permerror", "permerror", "not checked", "permerror"]


def test_names_that_are_none_are_an_answer_too(finder: DnsFinder) -> None:
    assert find(finder, "x" * 64 + ".example").result == "not checked"
    assert find(finder, "a..b").result == "not checked"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("9.9.9.9", ("9.9.9.9", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("2620:fe::fe", ("2620:fe::fe", 53)),
        ("[2620:fe::fe]:5353", ("2620:fe::fe", 5353)),
        ("[2620:fe::fe]", ("2620:fe::fe", 53)),
    ],
)
def test_servers_as_people_write_them(text: str, meant: tuple[str, int]) -> None:
    assert server(text) == meant


@pytest.mark.parametrize(
    "text", ["", "dns.example", "9.9.9.9:", "9.9.9.9:0", "9.9.9.9:70000", "9.9.9.9:x", "[::1", "::1:x"]
)
def test_what_is_no_server(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be an address|has a port"):
        server(text)


def test_a_batch_waits_for_answers_but_never_for_long(
    served: DnsServer, finder: DnsFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checker, "WAIT", 0.2)
    monkeypatch.setattr(checker, "WAIT_IN_ALL", 0.5)
    served.faults[NAME] = "held"
    judge = Checker(finder, lambda: NOW)
    known, unknown = judge.examine(signed()), judge.examine(signed_by_hand(d="other.example"))
    assert known is not None
    assert unknown is not None
    find(finder, NAME.replace(DOMAIN.decode(), "other.example"))
    found = judge.verdicts([known, unknown])
    assert [one.result for verdicts in found for one in verdicts] == ["not checked", "permerror"]
    assert found[0][0].reason == "DNS was too slow"
    assert judge.shortfall() == "1 of 2 signatures were not checked: DNS was too slow"
    served.release.set()
    find(finder)
    assert judge.verdicts([known])[0][0].result == "pass"


def test_all_checked_is_not_worth_a_word(served: DnsServer, finder: DnsFinder) -> None:
    judge = Checker(finder, lambda: NOW)
    found = judge.examine(signed())
    assert found is not None
    assert judge.verdicts([found])[0][0].key == pair().record.decode()
    assert judge.shortfall() == ""
