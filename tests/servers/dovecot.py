"""A real Dovecot 2.3 on loopback for tests: Debian package dovecot-imapd, started as root, stopped by its process.

with Dovecot() as server:
    user = server.user("anna")                      # a fresh, empty account; the password is server.password
    server.append(user, "INBOX/合同", b"Subject: ...", ["\\Seen"], datetime.now(UTC))
    IMAP4("127.0.0.1", server.port)                 # plain; server.tls_port with server.ca_file for TLS
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import imaplib
import itertools
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.servers.programs import HOST, free_ports

MAIL_UID = 8  # Debian's user "mail"; Dovecot refuses to open mail as root
JWT_SECRET = b"a secret of the test server alone"

CONFIG = """
base_dir = {dir}/run
state_dir = {dir}/state
protocols = imap
listen = {host}
log_path = {dir}/dovecot.log
ssl = yes
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2 oauthbearer
auth_failure_delay = 0 secs
mail_location = maildir:{dir}/mail/%u/Maildir
mail_uid = {uid}
mail_gid = {uid}
first_valid_uid = {uid}
mail_fsync = never
mail_max_userip_connections = 50
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = static
  args = password={password}
  mechanisms = plain login
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {dir}/oauth2.conf.ext
}}
userdb {{
  driver = static
  args = uid={uid} gid={uid} home={dir}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Trash {{
    special_use = \\Trash
  }}
  mailbox Junk {{
    special_use = \\Junk
  }}
}}
"""

OAUTH = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={dir}/jwt/
username_attribute = sub
"""


def missing() -> str:
    """Why a Dovecot cannot be started here, or an empty string."""
    if shutil.which("dovecot") is None:
        return "needs Debian's dovecot-imapd"
    if os.geteuid() != 0:
        return "Dovecot's test configuration needs root"
    return ""


class Dovecot:
    """One server: `port` (plain, STARTTLS), `tls_port`, `ca_file` (its own certificate), any user, one password.

    `folder` must be open to uid 8 (pytest's tmp_path is not); without one, a folder of its own is made and removed.
    """

    password = "pw"

    def __init__(self, folder: Path | None = None) -> None:
        self._own = folder is None
        self.dir = folder or Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.dir.chmod(0o755)
        self.ca_file = self.dir / "cert.pem"
        self._numbers = itertools.count(1)
        self._sessions: dict[str, imaplib.IMAP4] = {}
        _certificate(self.dir)
        self._oauth_files()
        self.port = self.tls_port = 0
        self._process = self._start()

    def __enter__(self) -> Dovecot:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def user(self, name: str) -> str:
        """A login that no other call has given: an empty account."""
        return f"{name}-{next(self._numbers)}"

    def token(self, user: str) -> str:
        """An OAuth access token (a JWT signed with HS256) for XOAUTH2 and OAUTHBEARER."""
        now = int(time.time())
        claims = {"sub": user, "iat": now, "nbf": now - 60, "exp": now + 3600}
        parts = [_base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
        signature = hmac.new(JWT_SECRET, ".".join(parts).encode(), hashlib.sha256).digest()
        return ".".join([*parts, _base64url(signature)])

    def session(self, user: str) -> imaplib.IMAP4:
        """A logged-in connection of the standard library, kept for the next call: for what the helpers cannot do."""
        if user not in self._sessions:
            self._sessions[user] = imaplib.IMAP4(HOST, self.port, timeout=30)
            self._sessions[user].login(user, self.password)
        return self._sessions[user]

    def append(
        self, user: str, folder: str, message: bytes, flags: Sequence[str] = (), date: datetime | None = None
    ) -> None:
        """Put a message into a folder (levels joined by "/"), which is created when it is missing."""
        session, name = self.session(user), quoted(folder)
        when = imaplib.Time2Internaldate(date or datetime.now(UTC))
        for _ in range(2):
            kind, _data = session.append(name, " ".join(flags), when, message)
            if kind == "OK":
                return
            session.create(name)
        raise RuntimeError(f"Dovecot takes no message into {folder}")

    def maildir(self, user: str) -> Path:
        """Where the account's files lie (Maildir++)."""
        return self.dir / "mail" / user / "Maildir"

    def stop(self) -> None:
        """End the server and its children, and remove its folder if it made it."""
        for session in self._sessions.values():
            session.shutdown()
        self._sessions.clear()
        self._process.terminate()
        self._process.wait(timeout=20)
        if self._own:
            shutil.rmtree(self.dir, ignore_errors=True)

    def _start(self) -> subprocess.Popen[bytes]:
        for _ in range(3):
            self.port, self.tls_port = free_ports(2)
            config = self.dir / "dovecot.conf"
            fields = {"dir": self.dir, "host": HOST, "uid": MAIL_UID, "password": self.password}
            config.write_text(CONFIG.format(port=self.port, tls_port=self.tls_port, **fields))
            process = subprocess.Popen(["dovecot", "-F", "-c", str(config)], stderr=subprocess.DEVNULL)
            if _answers(process, self.port):
                return process
            process.terminate()
            process.wait(timeout=20)
        raise RuntimeError(f"Dovecot does not start, see {self.dir / 'dovecot.log'}")

    def _oauth_files(self) -> None:
        (self.dir / "oauth2.conf.ext").write_text(OAUTH.format(dir=self.dir))
        key = self.dir / "jwt" / "default" / "HS256" / "default"
        key.parent.mkdir(parents=True)
        key.write_bytes(base64.b64encode(JWT_SECRET))
        mail = self.dir / "mail"
        mail.mkdir()
        os.chown(mail, MAIL_UID, MAIL_UID)


def quoted(folder: str) -> str:
    """A folder's name as an IMAP quoted string in modified UTF-7."""
    from imapclient.imap_utf7 import encode

    name: bytes = encode(folder)
    return '"' + name.decode("ascii").replace("\\", "\\\\").replace('"', '\\"') + '"'


def _certificate(folder: Path) -> None:
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(folder / "key.pem")]
    names = ["-subj", "/CN=localhost", "-addext", f"subjectAltName=DNS:localhost,IP:{HOST}"]
    command = ["openssl", "req", "-x509", "-days", "30", *key, *names, "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def client_context(ca_file: Path) -> ssl.SSLContext:
    """A verifying TLS context that trusts the test server."""
    return ssl.create_default_context(cafile=str(ca_file))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _answers(process: subprocess.Popen[bytes], port: int, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with socket.create_connection((HOST, port), timeout=1) as probe:
                if probe.recv(4) == b"* OK":
                    return True
        except OSError:
            time.sleep(0.02)
    return False
