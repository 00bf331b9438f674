"""The colours of a desktop, by the names that CSS has for them; the layout engine does not know these."""

from __future__ import annotations

from tinycss2.color4 import parse_color

from exporters.rendition.selectors import names

# CSS Color 3, section 4.5 and Color 4, section 6.2, as Windows shows them: Word and Excel draw the lines of every table
# in "windowtext".
_SHOWN = (
    ("#000", "activetext buttontext canvastext captiontext fieldtext inactivecaptiontext infotext menutext windowtext"),
    ("#fff", "background buttonhighlight canvas field highlighttext threedhighlight window"),
    ("#f0f0f0", "activeborder buttonface inactiveborder menu scrollbar threedface threedlightshadow"),
    ("#a0a0a0", "buttonborder buttonshadow threedshadow"),
    ("#696969", "graytext threeddarkshadow windowframe"),
    ("#ababab", "appworkspace"),
    ("#bfcddb", "activecaption inactivecaption"),
    ("#39f", "highlight selecteditem"),
    ("#ffffe1", "infobackground"),
    ("#00e", "linktext"),
    ("#551a8b", "visitedtext"),
)
_SYSTEM = {name: shown for shown, listed in _SHOWN for name in names(listed)}


def named(word: str) -> str:
    """`word`, in lower case, or the colour it stands for."""
    return _SYSTEM.get(word, word)


def known(colour: str) -> bool:
    """Whether CSS knows a colour written so."""
    return parse_color(colour) is not None
