"""Which language a page is marked with: it decides the faces of Han (fonts.conf), and of our own labels."""

from __future__ import annotations

import re

_SAMPLE = 20_000
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_KANA = re.compile(r"[\u3041-\u30ff\uff66-\uff9d]")
_HANGUL = re.compile(r"[\u1100-\u11ff\uac00-\ud7af]")
_ARABIC = re.compile(r"[\u0600-\u06ff]")
_HEBREW = re.compile(r"[\u0590-\u05ff]")
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([A-Za-z0-9_.-]{1,30})|=\?([A-Za-z0-9_.-]{1,30})\?[BbQq]\?")
_OF_CHARSET = (
    ("big5", "zh-TW"),
    ("cp950", "zh-TW"),
    ("gb", "zh-CN"),
    ("hz", "zh-CN"),
    ("iso-2022-jp", "ja"),
    ("shift", "ja"),
    ("euc-jp", "ja"),
    ("euc-kr", "ko"),
    ("ks_c", "ko"),
)
_SETS = {"ja": "shift_jis", "ko": "euc_kr"}
_HEAD = 16 * 1024


def language(text: str, raw: bytes) -> str:
    """BCP 47 tag for a text and the message it stands in: zh-CN, zh-TW, ja, ko, ar, he or en.

    Letters decide: Hangul, kana, then which Han they are. Han that is neither Simplified nor Traditional goes by the
    charset labels of the message, else it is Simplified Chinese.
    """
    sample = text[:_SAMPLE]
    han, kana, hangul = (len(pattern.findall(sample)) for pattern in (_HAN, _KANA, _HANGUL))
    if hangul * 2 > han + kana:
        return "ko"
    if kana * 8 > han and _japanese(sample, kana, han):
        return "ja"
    if han:
        return _of_han(_HAN.findall(sample), raw)
    if _ARABIC.search(sample):
        return "ar"
    return "he" if _HEBREW.search(sample) else "en"


def _japanese(sample: str, kana: int, han: int) -> bool:
    """Kana among Han: half of all letters in Japanese; a の in Chinese, which has letters that Japanese has not."""
    return kana * 2 > han or all(_encodes(letter, "shift_jis") for letter in _HAN.findall(sample))


def _of_han(letters: list[str], raw: bytes) -> str:
    """Simplified letters are not in Big5, traditional ones not in GB 2312: two sets that knew only their own."""
    labelled = _labelled(raw)
    if labelled in _SETS and all(_encodes(letter, _SETS[labelled]) for letter in letters):
        return labelled
    simplified = sum(not _encodes(letter, "big5") for letter in letters)
    traditional = sum(not _encodes(letter, "gb2312") for letter in letters)
    if simplified == traditional:
        return "zh-TW" if labelled == "zh-TW" else "zh-CN"
    return "zh-CN" if simplified > traditional else "zh-TW"


def _encodes(letter: str, charset: str) -> bool:
    try:
        letter.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def _labelled(raw: bytes) -> str:
    """The language of the first charset label that tells one."""
    for match in _CHARSET.finditer(raw, 0, _HEAD):
        name = (match[1] or match[2]).decode("ascii").lower()
        found = next((tag for prefix, tag in _OF_CHARSET if name.startswith(prefix)), "")
        if found:
            return found
    return ""
