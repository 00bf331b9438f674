"""One row for each mail provider: where it is, what it wants, what it does badly.

Facts come from the providers' help pages and from the bug trackers of mail clients; "id": RFC 2971 is required.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    """`connections`: to begin with; `line`: longest command in bytes; `hint`: what to do when the login is refused.

    `list_whole`: LIST "" "*" tells all folders; else they are also asked for level by level. `examine`: EXAMINE tells
    what SELECT does; else folders are opened with SELECT, which takes their messages' \\Recent away and nothing else.
    """

    name: str
    hosts: tuple[str, ...]
    port: int = 993
    connections: int = 2
    oauth: bool = False
    identify: bool = False
    qresync: bool = True
    condstore: bool = True
    status_by_list: bool = True
    list_whole: bool = True
    examine: bool = True
    line: int = 8000
    hint: str = "check the user name and the password"


_APP = "make an app password in the account's security settings and use it as the password"
_CODE = "turn IMAP on in the web mail's settings and use the authorisation code (授权码) as the password"
_TOKEN = "this provider takes OAuth 2 only: set password to a command that prints an access token"  # noqa: S105

GENERIC = Provider("generic", ())

PROVIDERS: tuple[Provider, ...] = (
    Provider("gmail", ("imap.gmail.com", "imap.googlemail.com"), hint=_APP),
    Provider("gmail-oauth", (), oauth=True, hint=_TOKEN),
    Provider("microsoft365", ("outlook.office365.com",), oauth=True, status_by_list=False, hint=_TOKEN),
    Provider("outlook", ("imap-mail.outlook.com",), oauth=True, status_by_list=False, list_whole=False, hint=_TOKEN),
    Provider(
        "netease",
        ("imap.163.com", "imap.126.com", "imap.yeah.net", "imap.qiye.163.com", "imaphz.qiye.163.com"),
        connections=1,
        identify=True,
        hint=_CODE,
    ),
    Provider(
        "tencent",
        ("imap.qq.com", "imap.exmail.qq.com", "hwimap.exmail.qq.com"),
        connections=1,
        hint=_CODE + "; also choose 全部 (all mail), the default is the last 30 days",
    ),
    Provider(
        "alibaba",
        ("imap.aliyun.com", "imap.qiye.aliyun.com", "imap.mxhichina.com"),
        hint="use the client security password (三方客户端安全密码)",
    ),
    Provider("yahoo", ("imap.mail.yahoo.com", "export.imap.mail.yahoo.com"), connections=1, line=1000, hint=_APP),
    Provider("icloud", ("imap.mail.me.com",), qresync=False, hint=_APP),
    Provider("fastmail", ("imap.fastmail.com",), hint=_APP),
    Provider("zoho", ("imap.zoho.com", "imap.zoho.eu", "imap.zoho.in", "imap.zoho.jp"), connections=1, hint=_APP),
    Provider("yandex", ("imap.yandex.com", "imap.yandex.ru"), hint=_APP),
    Provider("exchange", (), hint=r"the user is written DOMAIN\user, a shared mailbox DOMAIN\user\mailbox"),
    Provider("courier", (), examine=False),  # UIDVALIDITY may settle only on SELECT
    Provider("oauth", (), oauth=True, hint=_TOKEN),
    GENERIC,
)


def provider_of(name: str | None, host: str) -> Provider:
    """The row called `name`, else the one of the host, else the generic one."""
    for row in PROVIDERS:
        if row.name == name or (name is None and host.lower() in row.hosts):
            return row
    return GENERIC
