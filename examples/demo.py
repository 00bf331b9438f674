"""`make demo`: a mail server of its own, and an archive of its mail: made, searched, exported, restored, healed.

python -m examples.demo [FOLDER]        # FOLDER: ./demo-archive by default; it must not hold anything else
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from examples.imap_server import ImapServer
from examples.samples import PASSWORD, accounts

CONFIG = """# The demo's archive. Its mail server runs while the demo runs, and with: python -m examples.imap_server
[archive]
stores = ["store-a", "store-b"]
copies = 2
work = "work"
passphrase_file = "passphrase"
"""

ACCOUNT = """
[[account]]
name = "{name}"
host = "127.0.0.1"
port = {port}
security = "plain"
user = "{name}"
password_file = "mail-password"
"""

MADE_BY_DEMO = "mailark.toml"
PORT = 20143
LONGEST = 300  # seconds for one command
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


class Demo:
    """Runs commands in the demo's folder and shows each before what it prints."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mailark = Path(sys.executable).with_name("mailark")

    def say(self, text: str) -> None:
        """A remark between commands."""
        print(f"\n# {text}", flush=True)

    def run(self, *arguments: str) -> str:
        """`mailark` with arguments; prints what it says, and ends the demo when it fails."""
        shown = "$ mailark " + shlex.join(arguments)
        print(f"\033[1m{shown}\033[0m" if COLOUR else shown, flush=True)
        command = [str(self._mailark), "--config", "mailark.toml", *arguments]
        done = subprocess.run(
            command,
            cwd=self.folder,
            timeout=LONGEST,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
        )
        print(done.stdout.rstrip(), flush=True)
        if done.returncode:
            sys.exit(f"the demo stops: mailark {arguments[0]} ended with {done.returncode}")
        return done.stdout

    def tool(self, folder: Path, *command: str) -> None:
        """A program that is not Mailark's, in a folder of the demo's; ends the demo when it fails."""
        print(f"$ {shlex.join(command)}", flush=True)
        if shutil.which(command[0]) is None:
            print(f"({command[0]} is not installed here)", flush=True)
            return
        done = subprocess.run(command, cwd=folder, timeout=LONGEST, capture_output=True, text=True, check=False)
        print((done.stdout + done.stderr).rstrip() or "(nothing to complain of)", flush=True)
        if done.returncode:
            sys.exit(f"the demo stops: {command[0]} ended with {done.returncode}")

    def delete(self, name: str) -> None:
        """Remove a folder, as an accident would."""
        print(f"$ rm -r {name}", flush=True)
        shutil.rmtree(self.folder / name)


def prepare(folder: Path, port: int) -> None:
    """A fresh folder with the configuration; what an earlier demo left there is removed."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MADE_BY_DEMO).exists():
            sys.exit(f"{folder} holds something that is not the demo's; name another folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    text = CONFIG + "".join(ACCOUNT.format(name=name, port=port) for name in ("sales", "buying"))
    (folder / "mailark.toml").write_text(text + "\n# An empty login that mail is restored into.", "utf-8")
    with (folder / "mailark.toml").open("a", encoding="utf-8") as config:
        config.write(ACCOUNT.format(name="restored", port=port))
    password = folder / "mail-password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD + "\n", "utf-8")


def show(demo: Demo, server: ImapServer) -> None:
    """The story, one command after the other."""
    both = ("--account", "sales", "--account", "buying")
    demo.say("Make the archive; the passphrase goes into ./passphrase and onto the recovery sheet.")
    demo.run("init", "--generate-passphrase", "--sheet", "recovery-sheet")
    demo.say("Archive two logins into two stores. Then again: nothing is new.")
    demo.run("backup", *both)
    demo.run("backup", *both)
    demo.say("Find every mail about a contract, attachments' names included.")
    demo.run("search", "合同")
    first = demo.run("search", "--ids", "--limit", "1", "合同 file:pdf").split()[0]
    demo.run("show", first[:12])
    demo.say("Give mail back as files.")
    demo.run("export", "合同", "--format", "eml", "--to", "contracts-eml")
    demo.run("export", "from:becker", "--format", "mbox", "--to", "becker-mbox")
    demo.say("The contract with its papers as PDF, the original inside.")
    demo.run("export", "subject:合同 account:sales", "--format", "pdf", "--to", "contracts-pdf")
    hand_over(demo)
    demo.say("Put everything the sales department had into another login; the second time nothing is left to do.")
    demo.run("restore", "account:sales", "--to", "restored")
    held = server.accounts["restored"].count()
    demo.run("restore", "account:sales", "--to", "restored")
    if not held or server.accounts["restored"].count() != held:
        sys.exit("the demo stops: the second restore should have appended nothing")
    demo.say("Read every byte of both stores.")
    demo.run("check", "--read-data")
    demo.say("Lose one store, and fill a new one from the other; that needs no passphrase.")
    demo.delete("store-b")
    demo.run("repair", "--new", "store-b")
    demo.run("check", "--read-data")


def hand_over(demo: Demo) -> None:
    """A bundle for a lawyer, and what the lawyer does with it: no Mailark needed."""
    demo.say("All there is about one contract, numbered and signed, for a lawyer.")
    case = ("--case", "HD-2024-018", "--matter", "采购合同 HD-2024-018", "--requester", "Legal", "--operator", "Demo")
    demo.run("export", "合同 HD-2024-018", "--format", "bundle", *case, "--to", "bundle")
    demo.say("The lawyer checks it with tools everybody has; the commands stand in VERIFY.txt.")
    volume = demo.folder / "bundle" / "HD-2024-018_VOL001"
    for name in ("tagmanifest-sha256.txt", "manifest-sha256.txt"):
        demo.tool(volume, "sha256sum", "--strict", "--quiet", "-c", name)
    signature = ("-in", "tagmanifest-sha256.txt.p7s", "-content", "tagmanifest-sha256.txt", "-CAfile", "signer-ca.pem")
    demo.tool(volume, *shlex.split("openssl cms -verify -binary -inform DER -purpose any -out /dev/null"), *signature)
    demo.say("That the archive held these messages, by the fingerprint on the recovery sheet.")
    demo.tool(volume, "python3", "data/EVIDENCE/verify_proofs.py", fingerprint(demo.folder))


def fingerprint(folder: Path) -> str:
    """The root key's fingerprint on the recovery sheet."""
    sheet = (folder / "recovery-sheet.txt").read_text("utf-8")
    found = re.search(r"[Ff]ingerprint\W+((?:[0-9a-f]{4}\s+){16})", sheet)
    if found is None:
        sys.exit("the demo stops: the recovery sheet has no fingerprint")
    return "".join(found[1].split())


def main() -> None:
    """The command line shown above."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo-archive").absolute()
    with ImapServer(accounts(), PASSWORD, _free_port()) as server:
        prepare(folder, server.port)
        show(Demo(folder), server)
    print(f"""
The archive stays in {folder}: play with it.
  cd {folder}
  export MAILARK_CONFIG={folder / "mailark.toml"} PATH={Path(sys.executable).parent}:$PATH
  mailark search 发票
  mailark status
The passphrase is in the file passphrase. The mail server, for another backup, comes back with:
  cd {Path(__file__).parents[1]} && {sys.executable} -m examples.imap_server {server.port}""")


def _free_port() -> int:
    """The port of the configuration if it is free, else any."""
    import socket

    with socket.socket() as probe:
        return PORT if probe.connect_ex(("127.0.0.1", PORT)) else 0


if __name__ == "__main__":
    main()
