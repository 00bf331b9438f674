"""Names made of what was ordered: the same order gives the same name, which tells nobody anything."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def digest(ordered: Any) -> str:
    """32 hex digits for strings in lists, lone surrogates among them too."""
    text = json.dumps(ordered, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
