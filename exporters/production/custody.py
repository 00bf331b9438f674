"""The custody log: what happened to the messages from the server to this bundle, a JSON line a step.

Each line carries the SHA-256 of the line before it. Only what the archive recorded has a time of its own; the steps of
the export carry the state of the archive they worked on (`as_of`), for the moment of the export is told by signature
and time-stamp, and a repeated export must give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from archiver import __version__
from exporters.production.order import Order, Search, moment
from exporters.production.seal import Seal, told
from exporters.production.tally import Tally, VolumeTally
from exporters.production.volumes import Volumes

_PROGRAM = f"mailark {__version__}"


def custody(order: Order, search: Search, tally: Tally, seal: Seal | None, renderer: str) -> bytes:
    """custody.jsonl."""
    lines: list[str] = []
    previous = "0" * 64
    for number, step in enumerate(_steps(order, search, tally, seal, renderer), 1):
        line = json.dumps({"step": number, **step, "previous_sha256": previous}, ensure_ascii=False)
        previous = hashlib.sha256(line.encode(errors="replace")).hexdigest()
        lines.append(line)
    return "".join(f"{line}\n" for line in lines).encode(errors="replace")


def _steps(order: Order, search: Search, tally: Tally, seal: Seal | None, renderer: str) -> Iterator[dict[str, Any]]:
    yield from _collected(tally)
    actor = {"actor": order.operator or "not stated", "program": f"{_PROGRAM} export", "as_of": moment(search.as_of)}
    yield {
        "action": "searched",
        **actor,
        "query": search.query,
        "hits": tally.hits,
        "messages": len(search.hits),
        "messages_sha256": search.digest(),
    }
    yield {
        "action": "read and hashed anew",
        **actor,
        "messages": tally.messages,
        "equal_to_the_hash_at_ingest": tally.exported + tally.withheld,
        "failed": tally.failed,
    }
    yield {
        "action": "withheld and redacted",
        **actor,
        "approver": order.approver or "not stated",
        "withheld": tally.withheld,
        "withheld_attachments": tally.withheld_attachments,
        "redacted_attachments": tally.redacted,
        "withhold_sha256": order.lists.withhold_sha256,
        "redact_sha256": order.lists.redact_sha256,
    }
    yield {"action": "rendered", **actor, "tiers": dict(sorted(tally.tiers.items())), "renderer": renderer}
    yield from ({"action": "numbered and packed", **actor, **_packed(volume)} for volume in tally.volumes)
    signature, timestamp = told(seal)
    yield {"action": "sealed", **actor, "signature": signature, "timestamp": timestamp}


def _collected(tally: Tally) -> Iterator[dict[str, Any]]:
    for (custodian, account), (first, last) in sorted(tally.collected.items()):
        yield {
            "action": "collected from the mail server",
            "actor": f"{_PROGRAM} backup",
            "time": first,
            "until": last,
            "custodian": custodian,
            "account": account,
        }


def _packed(volume: VolumeTally) -> dict[str, Any]:
    return {
        "volume": Volumes.name(volume.number),
        "documents": volume.documents,
        "pages": volume.pages,
        "bates": [volume.first, volume.last],
        "files": volume.files,
        "bytes": volume.size,
        "sha256": dict(sorted(volume.hashes.items())),
    }
