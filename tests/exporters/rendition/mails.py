# ruff: noqa: E501  (HTML as mail programs write it)
"""Small mails of every kind a company gets, made anew for each test: the kinds a page must show well."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP

from PIL import Image, ImageDraw

from archiver.mime import parse
from archiver.model import Verdict
from exporters.interface import Outgoing

Make = Callable[[], bytes]


def outgoing(raw: bytes, verdicts: tuple[Verdict, ...] = ()) -> Outgoing:
    """The message as an archive would hand it out."""
    parsed = parse(raw)
    return Outgoing(hashlib.sha256(raw).hexdigest(), raw, (), parsed.subject, parsed.date, verdicts)


def new(
    subject: str, sender: str = "Li Wei <li.wei@huaxin.example>", to: str = "sales@nordwind.example"
) -> EmailMessage:
    """A message with the usual header."""
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"] = "Tue, 05 Mar 2024 14:22:07 +0800"
    message["Message-ID"] = "<20240305142207.4711@huaxin.example>"
    return message


def html_mail(html: str, subject: str = "HTML", charset: str = "utf-8", lone_surrogates: bool = False) -> bytes:
    """A message of one HTML part."""
    message = new(subject)
    data = html.encode(charset, "surrogatepass" if lone_surrogates else "strict")
    message.set_content(data, maintype="text", subtype="html", cte="base64")
    message.set_param("charset", charset)
    return bytes(message)


def text_mail(text: str, subject: str = "Text", charset: str = "utf-8") -> bytes:
    """A message of one plain part."""
    message = new(subject)
    message.set_content(text.encode(charset), maintype="text", subtype="plain", cte="base64")
    message.set_param("charset", charset)
    return bytes(message)


def picture(width: int, height: int, colour: str = "#2f6db0", kind: str = "PNG", mode: str = "RGB") -> bytes:
    """A picture with a diagonal and a frame."""
    image = Image.new(mode, (width, height), colour if mode == "RGB" else (120, 30, 0, 20))
    ImageDraw.Draw(image).line((0, 0, width, height), fill="white" if mode == "RGB" else (0, 0, 0, 0), width=5)
    data = io.BytesIO()
    image.save(data, kind)
    return data.getvalue()


def plain() -> bytes:
    """Prose and a quoted answer, as most mail is."""
    message = new("Re: Order 4711, delivery in week 14")
    message["Cc"] = "Anna Becker <a.becker@nordwind.example>, archive@nordwind.example"
    message.set_content(
        "Dear Anna,\n\nthank you for your order. The goods leave Ningbo on Friday and should reach Hamburg in week 14. "
        "The packing list and the bill of lading follow as soon as the carrier has confirmed.\n\n"
        "Please let us know whether the forwarder's address is still the same.\n\nKind regards\nLi Wei\n\n-- \n"
        "Huaxin Trading Co., Ltd.\nPhone +86 574 5550 1234\n\n"
        "On 4 March 2024, Anna Becker wrote:\n> Dear Li Wei,\n> when can we expect the goods?\n>> We ship at the end of "
        "the week.\n> Best wishes\n> Anna\n"
    )
    return bytes(message)


def columns() -> bytes:
    """A purchase order drawn with spaces."""
    rows = "\n".join(f"{n:<6}M8 hex bolt, zinc plated      {n * 1000:>8}      {n * 12.5:>10.2f}" for n in range(1, 9))
    return text_mail(
        f"PO 2024-0311\n\n{'Pos':<6}{'Item':<28}{'Quantity':>9}{'USD':>16}\n{'-' * 62}\n{rows}\n", "PO 2024-0311"
    )


def contract() -> bytes:
    """A contract in Chinese, as HTML with the fonts of Windows, a table and an attachment."""
    message = new(
        "采购合同（2024-0317号）——请盖章回传", "王伟 <wangwei@huaxin.example>", "张敏 <zhangmin@beifang.example>"
    )
    message["Cc"] = "法务部 <legal@beifang.example>"
    rows = "".join(
        f"<tr><td>{n}</td><td>不锈钢六角螺栓 M{n + 5}×40</td><td align=right>{n * 2000}</td><td align=right>¥{n * 1860:,}.00</td></tr>"
        for n in range(1, 6)
    )
    message.add_alternative(
        '<html><body style="font-family:微软雅黑;font-size:14px"><p>张经理：您好！</p>'
        "<p>附件为双方商定的采购合同，请贵司审阅、盖章后于<b>三月二十日前</b>回传。主要条款如下：</p>"
        f"<table border=1 cellspacing=0 cellpadding=5 width='100%'><tr bgcolor='#e8eef7'><th>序号</th><th>品名规格</th><th>数量</th><th>金额</th></tr>{rows}</table>"
        '<p style="font-family:宋体">一、交货期限：合同签订后三十日内，由甲方送至乙方指定仓库，运费由甲方承担。</p>'
        '<p style="font-family:宋体">二、付款方式：预付百分之三十，余款于验收合格后十五日内付清。</p>'
        '<p style="font-family:SimSun">三、违约责任：逾期交货的，每逾期一日按合同总额的千分之三支付违约金。</p>'
        "<p>顺祝商祺！</p><p>王伟<br>华鑫贸易有限公司<br>电话：0574-5550 1234</p></body></html>",
        subtype="html",
    )
    message.add_attachment(
        b"%PDF-1.4 contract", maintype="application", subtype="pdf", filename="采购合同2024-0317.pdf"
    )
    return bytes(message)


def big5() -> bytes:
    """Traditional Chinese in Big5."""
    text = "陳先生您好：\n\n關於上週討論的訂單，我們已經確認價格與交貨時間，請於週五前回覆。\n\n謝謝！\n林美玲\n台北國際貿易股份有限公司\n"
    return text_mail(text, "訂單確認與交貨時間", "big5")


def gb18030() -> bytes:
    """Chinese in GB18030, with rare letters of names."""
    return text_mail(
        "朱镕基同志：\n\n龙王庙镇 㐂、䶮、𠮷 三字为人名用字。请查收附件并回复。\n\n此致\n敬礼\n", "人名用字", "gb18030"
    )


def japanese() -> bytes:
    """Japanese in ISO-2022-JP."""
    text = "株式会社ノルド\n田中様\n\nいつもお世話になっております。直径8ミリのボルトの見積書をお送りします。\nご確認のほど、よろしくお願いいたします。\n"
    return text_mail(text, "見積書の送付", "iso-2022-jp")


def korean() -> bytes:
    """Korean in EUC-KR."""
    return text_mail("안녕하세요.\n견적서를 보내 드립니다. 확인 부탁드립니다.\n감사합니다.\n", "견적서", "euc-kr")


def arabic() -> bytes:
    """Right to left, with a Latin name and numbers in it."""
    return html_mail(
        '<div dir="rtl" style="font-family:Arial"><p>السادة الكرام في شركة Nordwind،</p>'
        "<p>نرفق لكم عرض الأسعار رقم 4711 بتاريخ 5 مارس 2024. المبلغ الإجمالي 12,500.00 دولار أمريكي.</p>"
        "<ul><li>الكمية: 3000 قطعة</li><li>التسليم: ميناء جبل علي</li></ul><p>مع أطيب التحيات،<br>أحمد</p></div>",
        "عرض الأسعار رقم 4711",
    )


def emoji() -> bytes:
    """Emoji with joiners, skin tones and flags beside digits."""
    return html_mail(
        "<p>Great news 🎉🎉 the order is in! 👍🏽 Team: 👩🏻‍💻👨‍👩‍👧‍👦 🇨🇳🇩🇪</p><p>1. Call at 10:30 ☎️<br>2. Price 45# ✅<br>3. ★★★☆☆ ☑ ☐ → ✔</p>",
        "Great news 🎉 1 2 3",
    )


def images() -> bytes:
    """Pictures of the message by Content-ID, one on a server, one missing, and a pixel that tracks."""
    message = new("Photos of the damaged pallets")
    message.add_alternative(
        "<p>Three photos:</p><p><img src='cid:one@x' width=300> <img src='cid:two@x' width=200></p>"
        "<p><img src='https://images.example/far.png' width=240 height=80 alt='our logo'> <img src='cid:gone@x' width=120 height=60></p>"
        "<img src='https://track.example/open.gif' width=1 height=1>",
        subtype="html",
    )
    part = message.get_payload()[0]
    part.add_related(picture(600, 400), "image", "png", cid="<one@x>", filename="pallet-1.png")
    part.add_related(picture(400, 300, "#b04a2f", "JPEG"), "image", "jpeg", cid="<two@x>", filename="pallet-2.jpg")
    return bytes(message)


def outlook() -> bytes:
    """Outlook's Chinese HTML: Word's styles, @page, o:p, VML comments, SimSun beside Calibri."""
    style = (
        "<!-- @font-face{font-family:宋体;panose-1:2 1 6 0 3 1 1 1 1 1} p.MsoNormal{margin:0cm;text-align:justify;"
        'font-size:10.5pt;font-family:"Calibri","sans-serif"} a:link{color:blue} @page WordSection1{size:595.3pt 841.9pt;'
        "margin:72pt 90pt} div.WordSection1{page:WordSection1} -->"
    )
    line = "<p class=MsoNormal><span style='font-family:宋体'>{}</span><span lang=EN-US>{}<o:p></o:p></span></p>"
    quoted = (
        "<div style='border:none;border-top:solid #B5C4DF 1.0pt;padding:3.0pt 0cm 0cm 0cm'><p class=MsoNormal>"
        "<b><span style='font-family:宋体'>发件人</span><span lang=EN-US>:</span></b><span lang=EN-US> zhangmin@beifang.example</span><br>"
        "<b><span style='font-family:宋体'>发送时间</span><span lang=EN-US>:</span></b><span lang=EN-US> 2024</span>年<span lang=EN-US>3</span>月<span lang=EN-US>4</span>日</p></div>"
    )
    return html_mail(
        '<html xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"><head>'
        f"<meta http-equiv=Content-Type content='text/html; charset=gb2312'><style>{style}</style>"
        "<!--[if gte mso 9]><xml><o:shapedefaults/></xml><![endif]--></head><body lang=ZH-CN link=blue><div class=WordSection1>"
        + line.format("王经理，您好：", "")
        + line.format("&nbsp;", "")
        + line.format("订单", "PO-4711 ")
        + line.format("的付款已于今日安排，水单见附件。请确认收到后尽快发货，谢谢！", "")
        + quoted
        + line.format("请问货款何时可以支付？船期临近，请尽快安排。", "")
        + "</div></body></html>",
        "答复: 订单 PO-4711 付款",
        "gb18030",
    )


def newsletter() -> bytes:
    """Nested tables of 600 pixels, colours, a button, style sheet with media queries."""
    cell = "<td width=50% valign=top style='padding:12px'><table width=100%><tr><td bgcolor='#dbe7f5' height=80 align=center>{0}</td></tr><tr><td><h3 style='margin:8px 0'>{0}</h3><p style='color:#555'>Short words about this article, so that somebody reads on.</p></td></tr></table></td>"
    cells = "".join(f"<tr>{cell.format(f'Article {n}')}{cell.format(f'Article {n + 1}')}</tr>" for n in (1, 3, 5))
    return html_mail(
        "<html><head><style>body{background:#eee}.btn{background:#d9480f;color:#fff;padding:10px 22px;border-radius:4px;text-decoration:none}"
        "@media only screen and (max-width:480px){.w{width:100%!important}}</style></head><body bgcolor='#eeeeee'>"
        "<div style='display:none;max-height:0;overflow:hidden'>Preheader that nobody sees</div>"
        "<table width=100% bgcolor='#eeeeee'><tr><td align=center><table class=w width=600 bgcolor='#ffffff' cellspacing=0 style='font-family:Helvetica,Arial,sans-serif'>"
        "<tr><td bgcolor='#1c3d5a' style='color:#fff;padding:24px;font-size:26px'>Nordwind Monthly</td></tr>"
        f"<tr><td><table width=100%>{cells}</table></td></tr><tr><td align=center style='padding:30px'><a class=btn href='https://nordwind.example/'>Read all</a></td></tr>"
        "<tr><td style='font-size:11px;color:#888;padding:16px' align=center>You get this because you asked for it.</td></tr></table></td></tr></table></body></html>",
        "Nordwind Monthly, March",
    )


def invoice() -> bytes:
    """An invoice as HTML table with right-aligned amounts and a total."""
    rows = "".join(
        f"<tr><td>{n}</td><td>Steel profile {n}, galvanised</td><td align=right>{n * 3}</td><td align=right>{n * 41.2:,.2f}</td></tr>"
        for n in range(1, 31)
    )
    return html_mail(
        "<div style='font-family:Arial;font-size:13px'><h2>Commercial Invoice CI-2024-118</h2><table width=100% style='border-collapse:collapse' border=1 cellpadding=4>"
        f"<thead><tr style='background:#f0f0f0'><th>No</th><th align=left>Item</th><th>Qty</th><th>USD</th></tr></thead>{rows}<tr><td colspan=3 align=right><b>Total</b></td><td align=right><b>19,158.00</b></td></tr></table></div>",
        "Commercial Invoice CI-2024-118",
    )


def thread() -> bytes:
    """An answer to an answer to an answer."""
    body = "<p>First question about the price.</p>"
    for depth in range(12):
        body = f"<p>Answer {depth}: we can offer {100 - depth} USD per piece, {depth + 3} weeks.</p><blockquote style='margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex'>On 3 March, somebody wrote:<br>{body}</blockquote>"
    return html_mail(f"<div dir=ltr>{body}</div>", "Re: Re: Re: Price of the M8 bolts")


def many_people() -> bytes:
    """Thousands of addresses in To."""
    message = new("Notice to all", to=", ".join(f"Person {n} <p{n}@nordwind.example>" for n in range(3_000)))
    message.set_content("Please read.\n")
    return bytes(message)


KINDS: dict[str, Make] = {
    make.__name__: make
    for make in (
        plain,
        columns,
        contract,
        big5,
        gb18030,
        japanese,
        korean,
        arabic,
        emoji,
        images,
        outlook,
        newsletter,
        invoice,
        thread,
        many_people,
    )
}
"""Every kind by its name."""
