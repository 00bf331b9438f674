"""Asks DNS for public keys: many at once, each once in a run, and never for long.

A name that is not answered in time is no proof of anything, so it is looked at whether DNS answers at all: the root's
name servers are in the cache of every resolver. When these are not told either, DNS is not asked again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dns.resolver import Answer as DnsAnswer
    from dns.resolver import Resolver

PATIENCE = 2.0
"""Seconds an answer may take, further servers and attempts included."""

AT_ONCE = 16
MOST_NAMES = 50_000
"""Names asked for in one run: what an answer takes of the memory is bounded, too."""

RECORD_LIMIT = 8192
"""Bytes of a TXT record: twice what an RSA key of the largest size takes."""

_FRESH = 10.0
"""Seconds for which an answer shows that DNS works."""

_HOPS = 4
_UDP_SIZE = 1232
"""Bytes of an answer by UDP, beyond which TCP is used: what every path takes unfragmented (DNS flag day 2020)."""

SILENT = "DNS does not answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS says of a key: its TXT record, or the result (a word of RFC 8601, "not checked") and reason instead."""

    record: bytes = b""
    result: str = ""
    reason: str = ""


class Finder(Protocol):
    """Finds public keys by name."""

    def ask(self, name: str) -> Future[Answer]:
        """The answer to come; it never raises. The same name is asked for once."""

    def close(self) -> None:
        """Ask for nothing more; what is under way is answered within `PATIENCE` seconds."""


class DnsFinder:
    """A `Finder`. servers: "address" or "address:port" ("[address]:port" for IPv6); none: those of this machine."""

    def __init__(self, servers: Iterable[str] = ()) -> None:
        self._servers = tuple(map(server, servers))
        self._lock, self._probing = threading.Lock(), threading.Lock()
        self._asked: dict[str, Future[Answer]] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE, "dns")
        self._resolver: Resolver | None = None
        self._answered = float("-inf")
        self._dead = ""

    def ask(self, name: str) -> Future[Answer]:
        with self._lock:
            known = self._asked.get(name)
            if known is None:
                full = len(self._asked) >= MOST_NAMES
                known = _known(_unchecked("too many keys for one run")) if full else self._pool.submit(self._find, name)
                if not full:
                    self._asked[name] = known
        return known

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _find(self, name: str) -> Answer:
        if self._dead:
            return _unchecked(self._dead)
        try:
            return self._resolve(name)
        except Exception as error:  # a defect, here or in the library, costs one verdict and not the run
            return _unchecked(f"unexpected {type(error).__name__} while asking DNS")

    def _resolve(self, name: str) -> Answer:
        import dns.exception
        import dns.resolver

        try:
            found = self._texts(f"{name}.")
        except dns.resolver.NXDOMAIN:
            return self._alive(Answer(b"", "permerror", "no key in DNS (NXDOMAIN); it may have been withdrawn since"))
        except dns.resolver.NoNameservers as error:
            codes = [response.rcode().name for *_, response in error.kwargs["errors"] if response is not None]
            if codes:
                return self._alive(Answer(b"", "temperror", f"DNS could not find the key ({codes[-1]})"))
            return self._silence()
        except dns.resolver.NoResolverConfiguration:
            self._dead = "this machine names no DNS server"
            return _unchecked(self._dead)
        except (dns.exception.DNSException, OSError):
            return self._silence()
        if not found:
            return self._alive(Answer(b"", "permerror", "no key in DNS (no TXT); it may have been withdrawn since"))
        return self._alive(_chosen(found))

    def _texts(self, name: str) -> list[bytes]:
        """The TXT records of a name, none if it has none; aliases are followed, the strings of a record joined."""
        for _ in range(_HOPS):
            answer = self._query(name, "TXT")
            if answer.rrset is not None:
                return [b"".join(record.strings) for record in answer.rrset]
            target = answer.canonical_name.to_text()
            if target.lower() == name.lower():
                break
            name = target
        return []

    def _query(self, name: str, kind: str) -> DnsAnswer:
        return self._ready().resolve(name, kind, lifetime=PATIENCE, search=False, raise_on_no_answer=False)

    def _ready(self) -> Resolver:
        """Made when the first signed message comes: dnspython takes a tenth of a second to import."""
        with self._lock:
            if self._resolver is None:
                import dns.nameserver
                import dns.resolver

                resolver = dns.resolver.Resolver(configure=not self._servers)
                if self._servers:
                    resolver.nameservers = [dns.nameserver.Do53Nameserver(*address) for address in self._servers]
                resolver.timeout = PATIENCE / 2
                resolver.use_edns(0, 0, _UDP_SIZE)
                self._resolver = resolver
            return self._resolver

    def _alive(self, answer: Answer) -> Answer:
        self._answered = time.monotonic()
        return answer

    def _silence(self) -> Answer:
        """One name was not answered: is it this name, or is it DNS?"""
        import dns.exception
        import dns.resolver

        with self._probing:
            if not self._dead and time.monotonic() - self._answered > _FRESH:
                try:
                    self._query(".", "NS")
                    self._answered = time.monotonic()
                except dns.resolver.NoNameservers as error:
                    if any(response is not None for *_, response in error.kwargs["errors"]):
                        self._answered = time.monotonic()
                    else:
                        self._dead = SILENT
                except (dns.exception.DNSException, OSError):
                    self._dead = SILENT
        return _unchecked(self._dead or "no answer from DNS for this key in time")


def server(text: str) -> tuple[str, int]:
    """Address and port (53 unless given) of a DNS server. ValueError says what is wrong."""
    address, port = text, "53"
    if text.startswith("["):
        address, closed, port = text[1:].partition("]")
        port = "53" if closed and not port else port.removeprefix(":")
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    try:
        address = str(ip_address(address))
    except ValueError:
        raise ValueError('must be an address such as "9.9.9.9" or "127.0.0.1:5353"') from None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("has a port that is none")
    return address, int(port)


def _chosen(records: list[bytes]) -> Answer:
    """Records of a name must be one (RFC 6376 section 3.6.2.2); of several, the one that looks like a key."""
    record = next((one for one in records if b"p=" in one), records[0])
    if len(record) > RECORD_LIMIT:
        return Answer(b"", "permerror", "the key in DNS is too long")
    return Answer(record)


def _unchecked(reason: str) -> Answer:
    return Answer(b"", "not checked", reason)


def _known(answer: Answer) -> Future[Answer]:
    future: Future[Answer] = Future()
    future.set_result(answer)
    return future
