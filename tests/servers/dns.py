"""A DNS server on the loopback interface, by UDP and TCP, that can be slow, silent, wrong or full of garbage."""

from __future__ import annotations

import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from random import Random

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.servers.programs import HOST, ports

UDP_SIZE = 1232
GARBAGE = Random(7).randbytes(200)


class DnsServer:
    """Answers from `texts` (name -> TXT records, each a list of strings) and `aliases` (name -> name).

    faults: name -> "silent", "SERVFAIL", "REFUSED", "truncated" (by UDP only), "garbage", "slow" (half a second),
    "held" (until `release` is set), "empty". dead: nothing is answered at all. asked: how often each name was.
    """

    def __init__(self) -> None:
        self.texts: dict[str, list[list[bytes]]] = {}
        self.aliases: dict[str, str] = {}
        self.faults: dict[str, str] = {}
        self.dead = False
        self.follows = True
        self.asked: Counter[str] = Counter()
        self.by_tcp: Counter[str] = Counter()
        self.address = ""
        self.release = threading.Event()
        self._lock = threading.Lock()

    def publish(self, name: str, text: bytes) -> None:
        """One TXT record, cut into strings of 255 bytes as DNS wants it."""
        self.texts[name] = [[text[at : at + 255] for at in range(0, len(text), 255)] or [b""]]

    def answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """The answer to one query as it goes over the wire; None: nothing."""
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        with self._lock:
            self.asked[name] += 1
            self.by_tcp[name] += tcp
        fault = "silent" if self.dead else self.faults.get(name, "")
        if fault == "silent":
            return None
        if fault == "garbage":
            return wire[:2] + GARBAGE
        if fault == "slow":
            time.sleep(0.5)
        if fault == "held":
            self.release.wait(60)
        response = dns.message.make_response(query, recursion_available=True)
        if fault in ("SERVFAIL", "REFUSED"):
            response.set_rcode(dns.rcode.from_text(fault))
        elif fault == "truncated" and not tcp:
            response.flags |= dns.flags.TC
        elif fault != "empty":
            self._fill(response, name, query.question[0].rdtype)
        whole = response.to_wire(max_size=65_535)
        if tcp or len(whole) <= UDP_SIZE:
            return whole
        response.answer.clear()
        response.flags |= dns.flags.TC
        return response.to_wire()

    def _fill(self, response: dns.message.Message, name: str, kind: dns.rdatatype.RdataType) -> None:
        if kind == dns.rdatatype.NS:
            response.answer.append(dns.rrset.from_text(".", 60, "IN", "NS", "a.root-servers.example."))
            return
        while name in self.aliases:
            target = self.aliases[name]
            response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", f"{target}."))
            name = target
            if not self.follows:
                return
        if name not in self.texts:
            response.set_rcode(dns.rcode.NXDOMAIN)
            return
        records = [" ".join('"' + _escaped(part) + '"' for part in parts) for parts in self.texts[name]]
        response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "TXT", *records))


def _escaped(text: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03d}" for byte in text)


@contextmanager
def dns_server() -> Iterator[DnsServer]:
    """A running server; `address` is what a configuration names."""
    served = DnsServer()

    class Udp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, sock = self.request
            if (answer := served.answer(wire, tcp=False)) is not None:
                sock.sendto(answer, self.client_address)

    class Tcp(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            size = int.from_bytes(self.rfile.read(2), "big")
            if (answer := served.answer(self.rfile.read(size), tcp=True)) is not None:
                self.wfile.write(len(answer).to_bytes(2, "big") + answer)

    with ExitStack() as stack:
        udp, tcp = _bound(Udp, Tcp)
        for server in (udp, tcp):
            server.daemon_threads = True
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        served.address = f"{HOST}:{udp.server_address[1]}"
        yield served


def _bound(
    udp: Callable[..., socketserver.BaseRequestHandler], tcp: Callable[..., socketserver.BaseRequestHandler]
) -> tuple[socketserver.ThreadingUDPServer, socketserver.ThreadingTCPServer]:
    """Both on the same free port."""
    for port in ports():
        with suppress(OSError):
            first = socketserver.ThreadingUDPServer((HOST, port), udp)
            try:
                return first, socketserver.ThreadingTCPServer((HOST, port), tcp)
            except OSError:
                first.server_close()
    raise OSError("no port is free")
