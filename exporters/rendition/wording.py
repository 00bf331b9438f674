"""The words a page says in its own name: English, and beside it the Chinese of a message that is Chinese."""

from __future__ import annotations

from exporters.rendition.interface import Tier

_LABELS = {
    "from": ("From", "发件人", "寄件者"),
    "to": ("To", "收件人", "收件者"),
    "cc": ("Cc", "抄送", "副本"),
    "bcc": ("Bcc", "密送", "密件副本"),
    "reply_to": ("Reply-To", "回复至", "回覆至"),
    "date": ("Date", "日期", "日期"),
    "received": ("Received", "接收时间", "接收時間"),
    "message_id": ("Message-ID", "Message-ID", "Message-ID"),
    "sha256": ("SHA-256", "SHA-256", "SHA-256"),
    "signatures": ("Signatures", "签名", "簽章"),
    "attachments": ("Attachments", "附件", "附件"),
    "name": ("Name", "名称", "名稱"),
    "type": ("Type", "类型", "類型"),
    "size": ("Size", "大小", "大小"),
    "page": ("Page", "页", "頁"),
    "no_subject": ("(no subject)", "（无主题）", "（無主旨）"),
    "no_text": ("(no text)", "（无正文）", "（無本文）"),
    "none": ("none", "无", "無"),
    "event": ("Meeting", "会议", "會議"),
    "invitation": ("Meeting: invitation", "会议邀请", "會議邀請"),
    "cancellation": ("Meeting: cancellation", "会议取消", "會議取消"),
    "answer": ("Meeting: reply", "会议答复", "會議答覆"),
    "counter": ("Meeting: other time proposed", "建议其他时间", "建議其他時間"),
    "declined_counter": ("Meeting: proposal declined", "建议被谢绝", "建議被謝絕"),
    "announcement": ("Meeting: announcement", "会议通知", "會議通知"),
    "subject": ("Subject", "主题", "主旨"),
    "when": ("When", "时间", "時間"),
    "all_day": ("all day", "全天", "全天"),
    "repeats": ("Repeats", "重复", "週期"),
    "where": ("Where", "地点", "地點"),
    "organiser": ("Organiser", "组织者", "召集人"),
    "attendees": ("Attendees", "参会人", "出席者"),
    "state": ("State", "状态", "狀態"),
    "accepted": ("accepted", "已接受", "已接受"),
    "declined": ("declined", "已谢绝", "已謝絕"),
    "tentative": ("tentative", "暂定", "暫定"),
    "delegated": ("delegated", "已委托", "已委派"),
    "unanswered": ("not answered", "未答复", "未答覆"),
    "cancelled": ("cancelled", "已取消", "已取消"),
}

_SENTENCES = {
    "more": ("… and {} more, {} in all", "……另有 {} 项，共 {} 项", "……另有 {} 項，共 {} 項"),
    "more_meetings": (
        "The calendar part tells of further meetings.",
        "日历部分另有其他会议。",
        "行事曆部分另有其他會議。",
    ),
    "remote_images": (
        "Images that lie on servers are not shown and were not fetched: {}.",
        "远程服务器上的图片未下载、未显示：{} 张。",
        "遠端伺服器上的圖片未下載、未顯示：{} 張。",
    ),
    "tracking_pixels": (
        "Invisible tracking images were left out: {}.",
        "已略去不可见的跟踪图片：{} 张。",
        "已略去不可見的追蹤圖片：{} 張。",
    ),
    "missing_images": (
        "Images that are not in the message, or that cannot be read: {}.",
        "邮件中缺失或无法读取的图片：{} 张。",
        "郵件中缺失或無法讀取的圖片：{} 張。",
    ),
    "substituted": (
        "Characters that no font has, and control signs, are shown as codes like [U+E000]: {}.",
        "无对应字形的字符及控制符以 [U+E000] 之类的代码显示：{} 个。",
        "無對應字形的字元及控制符以 [U+E000] 之類的代碼顯示：{} 個。",
    ),
    "truncated": (
        "Characters at the end of the body that are not shown: {}. The original message has them.",
        "正文末尾未显示的字符：{} 个；原始邮件中完整保留。",
        "本文末尾未顯示的字元：{} 個；原始郵件中完整保留。",
    ),
    "simplified": ("Simplified: {}.", "已简化：{}。", "已簡化：{}。"),
    "partly": (
        "The message is huge; only its beginning was read for this page.",
        "邮件过大，本页仅读取其开头部分。",
        "郵件過大，本頁僅讀取其開頭部分。",
    ),
    "unlisted": (
        "Not everything that is attached is listed ({}). The original message has it.",
        "附件未全部列出（{}）；原始邮件中完整保留。",
        "附件未全部列出（{}）；原始郵件中完整保留。",
    ),
    "versions": (
        "The message has a text and an HTML version that say different things; the pages show one of them. The "
        "original message has both.",
        "邮件的纯文本与 HTML 版本内容不同，本页仅显示其一；原始邮件中两者均完整保留。",
        "郵件的純文字與 HTML 版本內容不同，本頁僅顯示其一；原始郵件中兩者均完整保留。",
    ),
    "copy": (
        "Attachments were taken out of this copy, and a notice stands in the place of each. The message it was made "
        "from has the SHA-256 {}.",
        "本副本已移除部分附件，并以说明代替；其来源邮件的 SHA-256 为 {}。",
        "本副本已移除部分附件，並以說明代替；其來源郵件的 SHA-256 為 {}。",
    ),
    "copy_record": (
        "This document is a rendition of a copy, named by the SHA-256 above. The record is the message named in the "
        "first note.",
        "本文件为副本（以上述 SHA-256 标识）的呈现件；以首条说明所指邮件为准。",
        "本文件為副本（以上述 SHA-256 標識）的呈現件；以首條說明所指郵件為準。",
    ),
    "record": (
        "This document is a rendition. The record is the original message, named by the SHA-256 above.",
        "本文件为呈现件；以上述 SHA-256 标识的原始邮件为准。",
        "本文件為呈現件；以上述 SHA-256 標識的原始郵件為準。",
    ),
    Tier.WIDE: (
        "Scaled down, for the message is wider than a page.",
        "邮件宽于页面，已缩小显示。",
        "郵件寬於頁面，已縮小顯示。",
    ),
    Tier.TEXT: (
        "Shown as text: the layout of this message does not fit on pages.",
        "仅显示文本：此邮件的版式无法排入页面。",
        "僅顯示文字：此郵件的版式無法排入頁面。",
    ),
    Tier.HEADER: (
        "The body of this message cannot be shown on pages. The original message has it.",
        "此邮件的正文无法排入页面；原始邮件中完整保留。",
        "此郵件的本文無法排入頁面；原始郵件中完整保留。",
    ),
}


class Wording:
    """The words for pages in one language (a BCP 47 tag as `language` gives it)."""

    def __init__(self, language: str) -> None:
        self._chinese = {"zh-CN": 1, "zh-TW": 2}.get(language, 0)

    def label(self, name: str) -> str:
        """A label of few words, in English and, on a Chinese page, in Chinese behind it."""
        words = _LABELS[name]
        chinese = words[self._chinese]
        return words[0] if chinese == words[0] else f"{words[0]} {chinese}"

    def sentence(self, name: str, *values: str) -> str:
        """A sentence with the values put in, in English and, on a Chinese page, in Chinese behind it."""
        return " ".join(self.each(name, *values))

    def each(self, name: str, *values: str) -> list[str]:
        """The same, a language a line."""
        told = dict.fromkeys((_SENTENCES[name][0], _SENTENCES[name][self._chinese]))
        return [sentence.format(*values) for sentence in told]
