"""Address lists (RFC 5322 section 3.4) with what real senders make of them: `;`, unquoted commas, encoded words
anywhere.
"""

from __future__ import annotations

import re
from functools import lru_cache

from archiver.mime.charsets import Decoder
from archiver.mime.headers import decode_words, one_line
from archiver.model import Address

LIMIT = 10_000
"""Addresses taken from one header."""
_KNOWN_LIMIT = 256
"""Characters of a value that is remembered: a mailbox has the same few people in most of its messages."""

# No alternative can scan beyond the next sign that starts a token, so the whole is linear; quoted pairs are masked
# before.
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|<(?P<angle>[^<>,;"]*)>?|\((?P<comment>[^()]*)\)|(?P<separator>[,;])'
    r"|(?P<word>=\?[^?\s]{1,75}\?[bBqQ]\?[^?]*\?=)|(?P<group>:)|(?P<text>[^\",;<(=:]+)|(?P<other>.)",
    re.DOTALL,
)
_MASKS = (("\\\\", "\x01"), ('\\"', "\x02"))


class _Mailbox:
    """One address under construction."""

    __slots__ = ("angle", "comment", "name")

    def __init__(self) -> None:
        self.name: list[str] = []
        self.angle: str | None = None
        self.comment = ""


def parse_addresses(value: str, decoder: Decoder) -> tuple[Address, ...]:
    """The addresses of a raw (latin-1) header value, groups flattened, at most `LIMIT`."""
    known = _known(value) if len(value) <= _KNOWN_LIMIT else None
    return known if known is not None else _parsed(value, decoder)


@lru_cache(maxsize=2048)
def _known(value: str) -> tuple[Address, ...] | None:
    """The addresses of a value that says the same in any message: what decodes without a defect needs nothing else."""
    decoder = Decoder(bytes, tuple)
    found = _parsed(value, decoder)
    return None if decoder.defects else found


def _parsed(value: str, decoder: Decoder) -> tuple[Address, ...]:
    out: list[Address] = []
    current = _Mailbox()
    held = ""
    for match in _TOKEN.finditer(_masked(value)):
        kind, token = match.lastgroup, match[match.lastgroup or 0]
        if kind == "separator":
            address = _finish(current, decoder, held)
            current = _Mailbox()
            held = _hold(address, token)
            if address is not None and not held:
                out.append(address)
            if len(out) >= LIMIT:
                decoder.defects["too many addresses"] = None
                return tuple(out)
        elif kind == "angle":
            current.angle = token
        elif kind == "comment":
            current.comment = token
        elif kind == "group" and current.angle is None and "@" not in "".join(current.name):
            current.name.clear()
        else:
            current.name.append(token)
    last = _finish(current, decoder, held)
    return (*out, last) if last is not None else tuple(out)


def _masked(value: str) -> str:
    """Quoted pairs out of the way of the tokens; a quote that is never closed is no quote."""
    if "\\" in value:
        for pair, mask in _MASKS:
            value = value.replace(pair, mask)
    return value.replace('"', " ") if value.count('"') % 2 else value


def _unmasked(text: str) -> str:
    return text.replace("\x01", "\\").replace("\x02", '"') if "\x01" in text or "\x02" in text else text


def _hold(address: Address | None, separator: str) -> str:
    """The name before an unquoted comma, as in `Doe, John <j@x>`, to be put before the next one."""
    return address.name if address is not None and not address.addr and separator == "," else ""


def _finish(mailbox: _Mailbox, decoder: Decoder, held: str) -> Address | None:
    text = _unmasked("".join(mailbox.name)).strip()
    if mailbox.angle is not None:
        name, addr = _decoded(text, decoder), _decoded_spec(mailbox.angle, decoder)
    elif "@" in text and "=?" not in text:
        name, addr = "", _decoded_spec(text, decoder)
    else:
        name, addr = _split_decoded(_decoded(text, decoder))
    name = name or _decoded(_unmasked(mailbox.comment), decoder)
    if held:
        name = f"{held}, {name}" if name else name
    if not name and not addr:
        return None
    return Address(name, addr)


def _decoded_spec(addr: str, decoder: Decoder) -> str:
    addr = addr.strip()
    return addr if addr.isascii() and addr.isprintable() else decode_words(addr, decoder)


def _decoded(text: str, decoder: Decoder) -> str:
    return _unquoted(decode_words(text, decoder)) if text else ""


def _unquoted(name: str) -> str:
    """Without quotes around the whole name, which many programs add inside an encoded word or doubly."""
    name = name.strip()
    return name[1:-1].strip() if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"" else name


def _split_decoded(text: str) -> tuple[str, str]:
    """A whole address inside one encoded word: `张三 <z@x>`, or only `z@x`."""
    name, opened, rest = text.partition("<")
    if opened and "@" in rest:
        return _unquoted(name), one_line(rest.partition(">")[0].strip())
    return ("", text) if "@" in text and " " not in text else (text, "")
