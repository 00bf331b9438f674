"""A company in a folder: two accounts at a real Dovecot, two stores, a configuration; the program as a user runs it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zlib import crc32

from tests.servers.dovecot import HOST, Dovecot

PROGRAM = Path(sys.executable).parent / "mailark"


@dataclass(frozen=True)
class Done:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def last(self) -> str:
        """The verdict: the last line of everything."""
        return (self.out.rstrip().splitlines() or self.err.rstrip().splitlines())[-1]


@dataclass
class Sandbox:
    """`home`: the configuration and everything the program writes; `users`: the logins by account name; `template`: a
    folder with an archive just made."""

    home: Path
    server: Dovecot
    users: dict[str, str]
    template: Path

    @property
    def config(self) -> Path:
        return self.home / "mailark.toml"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "MAILARK_CONFIG": str(self.config), "TEST_PASSWORD": self.server.password}

    def write_config(self, archive: str = "", **accounts: str) -> None:
        """Both accounts, both stores. `archive` replaces the lines of [archive], `sales="…"` adds or replaces keys."""
        usual = 'stores = ["first", "second"]\nwork = "work"\npassphrase_file = "passphrase"\n'
        text = f"[archive]\n{archive or usual}"
        for name, user in self.users.items():
            text += f'\n[[account]]\nname = "{name}"\n'
            keys = {"host": f'"{HOST}"', "port": str(self.server.tls_port), "ca_file": f'"{self.server.ca_file}"'}
            keys |= {"user": f'"{user}"', "password_env": '"TEST_PASSWORD"'}
            for line in filter(None, accounts.get(name, "").splitlines()):
                key, _, value = line.partition(" = ")
                keys[key] = value
            text += "".join(f"{key} = {value}\n" for key, value in keys.items())
        self.config.write_text(text, "utf-8")

    def run(self, *arguments: str, stdin: str = "", seconds: float = 300, **environment: str) -> Done:
        """The installed program in a process of its own, without a terminal."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            cwd=self.home,
            env=self.environment | environment,
            input=stdin.encode(),
            capture_output=True,
            timeout=seconds,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def init(self) -> None:
        """The archive of the usual settings: a copy of one that `init` made once, for making keys takes a second."""
        shutil.copytree(self.template, self.home, dirs_exist_ok=True)


def message(subject: str, text: str, *, sender: str = "Anna Li <anna@example.com>", extra: str = "") -> bytes:
    """A plain message with CRLF line ends."""
    lines = [
        f"From: {sender}",
        "To: Sales <sales@example.com>",
        f"Subject: {subject}",
        "Date: Fri, 01 Mar 2024 08:30:00 +0000",
        f"Message-ID: <{crc32((subject + text).encode())}@example.com>",
        *extra.splitlines(),
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        text,
        "",
    ]
    return "\r\n".join(lines).encode("utf-8")


def cpu_seconds(command: list[str | Path], env: dict[str, str] | None = None) -> float:
    """CPU time of a call, the least of five: what others do on the machine does not count."""
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True, env=env)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(seconds)


def slowness() -> float:
    """How many times longer than where the bounds on starting were set Python takes here to start; at least once."""
    return max(1.0, cpu_seconds([sys.executable, "-c", "import ssl, email.message, json, decimal"]) / 0.05)


WHEN = datetime(2024, 3, 1, 8, 30, tzinfo=UTC)


def company(home: Path, server: Dovecot, template: Path) -> Sandbox:
    """Two accounts with seven messages in four folders; one message is in both accounts."""
    users = {name: server.user(name) for name in ("sales", "buying")}
    shared = message("Invoice INV-2024-7", "Please find the commercial invoice.")
    server.append(users["sales"], "INBOX", shared, ["\\Seen"], WHEN)
    server.append(users["buying"], "INBOX", shared, ["\\Flagged"], WHEN)
    server.append(users["sales"], "INBOX", message("采购合同", "请查收附件中的采购合同。"), ["\\Answered"], WHEN)
    server.append(users["sales"], "INBOX", message("\x1b]0;owned\x07hostile \x1b[31mred", "\x1b[2Jgone"), [], WHEN)
    server.append(users["sales"], "项目/合同", message("合同 2024", "第二份合同"), [], WHEN)
    server.append(users["buying"], "Sent", message("Purchase order 88", "PO 88 attached"), ["\\Seen"], WHEN)
    server.append(users["buying"], "Sent", message("Re: Purchase order 88", "thanks"), [], WHEN)
    sandbox = Sandbox(home, server, users, template)
    sandbox.write_config()
    return sandbox
