"""The tables of the catalog. Times are microseconds since 1970 in UTC; Date and INTERNALDATE are RFC 3339 text.

A row of `messages` without a pack stands for a message whose places came before its line. Merging is by least and
greatest times only, so lines may come in any order and more than once:
first_seen/seen: earliest and latest place line · flagged: time of the flags held · gone: latest gone line.
verdicts: as JSON, with the number of a row of `dns_keys` in place of each key, which many messages share; 0: none.
"""

from __future__ import annotations

import apsw

from archiver.catalog.tokens import VERSION as TOKENS

STAMP = 2 * 1000 + TOKENS
"""Version of the tables and of the tokens; a catalog of another one is emptied and filled again from the archive."""

# A page keeps 64 bytes for the cipher; pages of the index that are a little smaller than what is left fit one each.
TABLES = """
CREATE TABLE messages (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    pack INTEGER,
    size INTEGER,
    moment INTEGER,
    date TEXT,
    message_id TEXT,
    subject TEXT,
    senders TEXT,
    recipients TEXT,
    attachments TEXT,
    verdicts TEXT
);
CREATE INDEX messages_moment ON messages (moment DESC, id) WHERE pack IS NOT NULL;
CREATE INDEX messages_message_id ON messages (message_id) WHERE message_id <> '';
CREATE TABLE dns_keys (number INTEGER PRIMARY KEY, record TEXT NOT NULL UNIQUE);
CREATE TABLE packs (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE folders (
    number INTEGER PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (account, name)
);
CREATE TABLE epochs (
    folder INTEGER NOT NULL, epoch INTEGER NOT NULL, uidvalidity INTEGER NOT NULL, seen INTEGER NOT NULL,
    PRIMARY KEY (folder, epoch)
) WITHOUT ROWID;
CREATE TABLE places (
    folder INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    message INTEGER,
    flags TEXT NOT NULL DEFAULT '',
    date TEXT,
    first_seen INTEGER,
    seen INTEGER,
    flagged INTEGER,
    gone INTEGER,
    PRIMARY KEY (folder, epoch, uid)
) WITHOUT ROWID;
CREATE INDEX places_message ON places (message);
CREATE TABLE certificates (
    folder INTEGER NOT NULL, seen INTEGER NOT NULL, epoch INTEGER NOT NULL,
    on_server INTEGER NOT NULL, archived INTEGER NOT NULL, failed TEXT NOT NULL,
    PRIMARY KEY (folder, seen, epoch)
) WITHOUT ROWID;
CREATE TABLE sealed (writer TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE texts USING fts5 (
    subject, sender, recipient, cc, filename, text, content='', contentless_delete=1, tokenize='ascii'
);
INSERT INTO texts (texts, rank) VALUES ('hashsize', 4194304);
INSERT INTO texts (texts, rank) VALUES ('pgsz', 3900);
"""

COLUMNS = {
    "subject": "subject",
    "from": "sender",
    "to": "recipient",
    "cc": "cc",
    "filename": "filename",
    "text": "text",
}
"""Field of the query language -> column of `texts`."""


def prepare(connection: apsw.Connection) -> None:
    """Create the tables in a new database; start again when they are of another version."""
    if connection.pragma("user_version") != STAMP:
        connection.execute("BEGIN IMMEDIATE")
        try:
            if connection.pragma("user_version") != STAMP:  # another process may have been faster
                recreate(connection)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def recreate(connection: apsw.Connection) -> None:
    """Drop every table and create the empty ones, inside the open transaction."""
    found = connection.execute(
        r"SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'texts\_%' ESCAPE '\'"
    )
    for (name,) in found.fetchall():
        connection.execute(f'DROP TABLE "{name}"')
    connection.execute(TABLES)
    connection.pragma("user_version", STAMP)
