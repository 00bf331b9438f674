"""Bytes to text when the label cannot be trusted.

A label is taken for the superset that is really meant by it (WHATWG Encoding Standard section 4.2: gb2312 is GBK and
beyond, latin-1 is
windows-1252). Whatever does not decode strictly is detected, over the subject and the body of the message together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from encodings.aliases import aliases
from functools import lru_cache

from chardetng_py import EncodingDetector

_SUPERSETS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "cp936": "gb18030",
    "x_gbk": "gb18030",
    "x_gb2312": "gb18030",
    "gb2312_charset": "gb18030",
    "gb_2312": "gb18030",
    "gb_2312_80": "gb18030",
    "chinesegb": "gb18030",
    "chinesesimplified": "gb18030",
    "gb": "gb18030",
    "big5": "big5hkscs",
    "big5hkscs": "big5hkscs",
    "cp950": "big5hkscs",
    "chinesebig5": "big5hkscs",
    "x_x_big5": "big5hkscs",
    "shift_jis": "cp932",
    "shift_jis_2004": "cp932",
    "x_sjis": "cp932",
    "windows_31j": "cp932",
    "euc_kr": "cp949",
    "johab": "johab",
    "iso2022_jp": "iso2022_jp_ext",
    "iso2022_jp_1": "iso2022_jp_ext",
    "latin_1": "cp1252",
    "iso8859_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "ascii": "",
    "unknown": "",
    "unknown_8bit": "",
    "x_unknown": "",
    "default": "",
    "default_charset": "",
    "utf8": "utf-8",
    "utf_8": "utf-8",
    "utf_8_sig": "utf-8",
    "unicode_1_1_utf_7": "utf_7",
    "unicode": "utf-8",
    "iso8859_8_i": "iso8859_8",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "windows_874": "cp874",
    "x_user_defined": "cp1252",
}
# Python codecs that are no character sets, or that take quadratic time.
_NO_CHARSETS = frozenset(
    [
        "base64_codec",
        "bz2_codec",
        "hex_codec",
        "quopri_codec",
        "rot_13",
        "uu_codec",
        "zlib_codec",
        "idna",
        "punycode",
        "mbcs",
        "oem",
        "undefined",
        "unicode_escape",
        "raw_unicode_escape",
    ]
)
_PLAIN_NAMES = frozenset(aliases.values()) | {
    "koi8_u",
    "cp874",
    "cp1006",
    "cp720",
    "cp737",
    "cp856",
    "mac_croatian",
    "mac_farsi",
}
_SHIFTING = frozenset({"utf_7", "hz", "utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be"})
_NOT_ASCII_BASED = _SHIFTING | {"cp037", "cp273", "cp424", "cp500", "cp1026", "cp1140", "cp875"}
_DETECTED = {
    "GBK": "gb18030",
    "gb18030": "gb18030",
    "Big5": "big5hkscs",
    "Shift_JIS": "cp932",
    "EUC-KR": "cp949",
    "ISO-2022-JP": "iso2022_jp_ext",
    "ISO-8859-8-I": "iso8859_8",
    "windows-874": "cp874",
}
_MULTIBYTE = frozenset({"gb18030", "big5hkscs", "cp932", "cp949", "euc_jp"})
_FOREIGN = bytes(range(128, 256))
_EUC_KANA = re.compile(rb"[\xa4\xa5][\xa1-\xf6]")
_SAMPLE = 16 * 1024
_DETECTIONS = 64
_SEPARATORS = re.compile(r"[^a-z0-9]+")
UNDECODABLE = "text with undecodable bytes"


@lru_cache(maxsize=256)
def codec_of(label: str) -> str | None:
    """The Python codec to read a charset label with: "" for none stated or plain ASCII, None for an unknown one."""
    name = _SEPARATORS.sub("_", label[:64].partition("*")[0].lower()).strip("_")
    if not name:
        return ""
    for variant in (name, name.removeprefix("x_"), name.removeprefix("cs"), name.replace("windows_", "cp")):
        codec = aliases.get(variant, variant)
        for known in (variant, codec):
            if known in _SUPERSETS:
                return _SUPERSETS[known]
        if codec in _PLAIN_NAMES and codec not in _NO_CHARSETS:
            return codec
    return None


class Decoder:
    """Turns the bytes of one message into text and remembers what was wrong.

    `sample` gives bytes of the whole message for the detector, `hints` the charset labels that occur in it; both are
    asked
    only when something does not decode as it is labelled.
    """

    def __init__(self, sample: Callable[[], bytes], hints: Callable[[], Iterable[str]]) -> None:
        self._give_sample = sample
        self._give_hints = hints
        self._sample: bytes | None = None
        self._hints: tuple[str, ...] = ()
        self._detections = 0
        self.defects: dict[str, None] = {}

    def decode(self, data: bytes, label: str = "") -> str:
        """The text of `data`, said to be in charset `label`. Never fails; at worst U+FFFD stands for bytes."""
        codec = codec_of(label)
        if codec is None:
            self.defects["unknown charset"] = None
            codec = ""
        if codec in ("", "utf-8"):
            return self._decode_unicode(data, codec)
        if codec not in _NOT_ASCII_BASED and data.isascii() and b"\x1b" not in data:
            return data.decode("ascii")
        return self._decode_labelled(data, codec)

    def _decode_unicode(self, data: bytes, codec: str) -> str:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            damaged = self._mostly(data, "utf-8", 10 if codec else 50)
            return damaged if damaged is not None else self._detect(data, codec)
        # One character is found at many times the speed of two.
        return text if "\x1b" not in text or "\x1b$" not in text else self._decode_labelled(data, "iso2022_jp_ext")

    def _decode_labelled(self, data: bytes, codec: str) -> str:
        if codec not in _SHIFTING:
            text = _as_utf8(data, codec)
            if text is not None:
                self.defects["charset label wrong"] = None
                return text
        try:
            text = data.decode(codec)
        except (UnicodeError, LookupError):
            damaged = self._mostly(data, codec, 10)
            text = damaged if damaged is not None else self._detect(data, codec)
        return _without_surrogates(text) if codec in _SHIFTING else text

    def _mostly(self, data: bytes, codec: str, share: int) -> str | None:
        """The text when at most one in `share` of the foreign bytes is damaged, as a cut or a relay leaves it."""
        try:
            text = data.decode(codec, "replace")
        except (UnicodeError, LookupError):
            return None
        damaged = text.count("\ufffd")
        foreign = len(data) - len(data.translate(None, _FOREIGN))
        cut_short = damaged == 1 and text.endswith("\ufffd") and foreign >= 6
        if damaged * share > foreign and not cut_short:
            return None
        self.defects[UNDECODABLE] = None
        return text

    def _detect(self, data: bytes, codec: str) -> str:
        if codec:
            self.defects["charset label wrong"] = None
        guess = self._guess(data)
        for candidate in (*self._hints, guess, "gb18030"):
            try:
                text = data.decode(candidate)
            except (UnicodeError, LookupError):
                continue
            self.defects[f"charset detected: {candidate}"] = None
            return text
        for candidate in self._hints:
            damaged = self._mostly(data, candidate, 10)
            if damaged is not None:
                return damaged
        self.defects[UNDECODABLE] = None
        return _without_surrogates(data.decode(codec or guess, "replace"))

    def _guess(self, data: bytes) -> str:
        self._detections += 1
        if self._detections > _DETECTIONS:
            return "gb18030"
        if self._sample is None:
            self._sample = self._give_sample()[:_SAMPLE]
            self._hints = tuple(dict.fromkeys(c for c in map(codec_of, self._give_hints()) if c in _MULTIBYTE))[:3]
        seen = self._sample if data[:1000] in self._sample else data[:_SAMPLE] + b"\n" + self._sample
        detector = EncodingDetector()
        detector.feed(seen, last=True)
        guess: str = detector.guess(tld=None, allow_utf8=False)
        return "gb18030" if _is_rather_chinese(seen, guess) else _DETECTED.get(guess, guess.lower())


def _is_rather_chinese(data: bytes, guess: str) -> bool:
    """Few characters of GBK look like EUC-JP or EUC-KR, which use the same bytes: 报价单 is told as Korean.

    Japanese without any kana is rare, and among texts of up to four characters GBK is the likelier one in this
    archive's mail.
    """
    if guess == "EUC-JP":
        return not _EUC_KANA.search(data)
    return guess == "EUC-KR" and len(data) - len(data.translate(None, _FOREIGN)) <= 8


def _as_utf8(data: bytes, codec: str) -> str | None:
    """The text when `data`, labelled otherwise, can hardly be anything but UTF-8: valid, and too long for an
    accident.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    continuation_bytes = len(data) - len(text)
    return text if continuation_bytes >= (1 if codec == "cp1252" else 6) else None


def _without_surrogates(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
