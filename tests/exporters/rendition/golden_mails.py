# ruff: noqa: E501  (HTML as mail programs write it)
"""The mails whose pictures are kept: small, of our own making, the same bytes on every call."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.policy import SMTP

from tests.exporters.rendition import mails
from tests.exporters.rendition.invitations import chinese_invitation, outlook_invitation
from tests.exporters.rendition.mails import Make, html_mail, new, text_mail

_BOUNDARY = re.compile(rb"={15}\d+==")


def excel() -> bytes:
    """Cells pasted from Excel: lines in "windowtext", fixed columns, 等线."""
    style = "border:.5pt solid windowtext;font-size:11.0pt;font-family:等线;padding:1px"
    heads = "".join(
        f"<td style='{style};background:#BDD7EE;font-weight:700'>{name}</td>"
        for name in ("日期", "订单号", "品名", "数量", "金额")
    )
    rows = "".join(
        f"<tr><td style='{style}'>2024/3/{n}</td><td style='{style}'>PO-{4700 + n}</td><td style='{style}'>六角螺栓 M8×40</td>"
        f"<td style='{style}' align=right>{n}000</td><td style='{style}' align=right>{n * 850:,}.00</td></tr>"
        for n in range(1, 7)
    )
    return html_mail(
        f"<p>请核对<i>三月订单明细</i>，<b>如有出入</b>请于周五前回复。</p><table width=520 cellspacing=0 style='border-collapse:collapse'><tr>{heads}</tr>{rows}</table>",
        "三月订单明细",
    )


def table_in_text() -> bytes:
    """Plain text with a table of Chinese and Latin letters, a quotation and an empty line on either side of it."""
    return text_mail(
        "张经理：\n\n　　请确认下列价格。\n\n品名            数量      单价\n螺栓M8          1000      0.85\n不锈钢螺母M10   2000      1.20\n"
        "垫圈             500      0.30\n\n> 2024-03-04 王伟 写道：\n> 请问最新价格是多少？\n>> Please send the price list.\n\n谢谢\n",
        "报价确认",
        "gb18030",
    )


def forwarded() -> bytes:
    """A mail with another one attached."""
    inner = new("Offer 4711", "Zhang Min <zhang@huaxin.example>")
    inner.set_content("<p>We offer <b>20,000</b> bolts at 0.118 USD.</p>", subtype="html")
    message = new("Fwd: Offer 4711")
    message.set_content("Please see the offer below.\n")
    message.add_attachment(message_from_bytes(bytes(inner), policy=SMTP))
    return bytes(message)


def hebrew() -> bytes:
    """Plain text from the right, with a line from the left."""
    return text_mail(
        "שלום רב,\n\nמצורפת הצעת מחיר מספר 4711 עבור 3,000 ברגים.\n\nOne line in English, 42.\n> ציטוט\n", "הצעת מחיר"
    )


_KEPT: tuple[Make, ...] = (
    mails.plain,
    mails.contract,
    mails.outlook,
    mails.newsletter,
    mails.invoice,
    mails.thread,
    mails.images,
    mails.emoji,
    mails.arabic,
    excel,
    table_in_text,
    forwarded,
    hebrew,
    outlook_invitation,
    chinese_invitation,
)


def golden_mails() -> dict[str, bytes]:
    """Every mail by its name; the boundaries between their parts, which Python draws by lot, are fixed."""
    return {make.__name__: _settled(make()) for make in _KEPT}


def _settled(raw: bytes) -> bytes:
    names: dict[bytes, bytes] = {}
    return _BOUNDARY.sub(lambda found: names.setdefault(found[0], b"=-part-%d=" % len(names)), raw)
