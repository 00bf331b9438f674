"""The tables of the state database, and how those of earlier versions become today's."""

from __future__ import annotations

import apsw

from archiver.errors import ConfigError

TABLES = """
CREATE TABLE folder(
  id INTEGER PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, raw BLOB NOT NULL, epoch INTEGER NOT NULL,
  uidvalidity INTEGER NOT NULL, uidnext INTEGER, messages INTEGER, modseq INTEGER, live INTEGER NOT NULL DEFAULT 1,
  announced INTEGER NOT NULL DEFAULT 0, skipped INTEGER NOT NULL DEFAULT 0,
  sweep INTEGER NOT NULL DEFAULT 0, UNIQUE(account, name, epoch));
CREATE TABLE place(
  folder INTEGER NOT NULL, uid INTEGER NOT NULL, message BLOB NOT NULL, flags TEXT NOT NULL, key BLOB,
  PRIMARY KEY(folder, uid)) WITHOUT ROWID;
CREATE TABLE work(
  folder INTEGER NOT NULL, uid INTEGER NOT NULL, flags TEXT NOT NULL, size INTEGER NOT NULL, date TEXT,
  attempts INTEGER NOT NULL DEFAULT 0, reason TEXT, PRIMARY KEY(folder, uid)) WITHOUT ROWID;
CREATE TABLE message(
  era TEXT NOT NULL, id BLOB NOT NULL, pack INTEGER NOT NULL, PRIMARY KEY(era, id)) WITHOUT ROWID;
CREATE TABLE segment(
  era TEXT NOT NULL, name TEXT NOT NULL, pack INTEGER NOT NULL, PRIMARY KEY(era, name)) WITHOUT ROWID;
CREATE TABLE pack(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, path TEXT NOT NULL,
  seq INTEGER);
CREATE TABLE lines(id INTEGER PRIMARY KEY, era TEXT NOT NULL, data BLOB NOT NULL, seq INTEGER);
CREATE TABLE cursor(
  id INTEGER PRIMARY KEY, folder INTEGER NOT NULL, uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL,
  messages INTEGER NOT NULL, modseq INTEGER NOT NULL, seq INTEGER);
CREATE TABLE run(
  id INTEGER PRIMARY KEY, started TEXT NOT NULL, ended TEXT, exit_code INTEGER, report TEXT);
"""

UPGRADES = (
    "ALTER TABLE folder ADD COLUMN sweep INTEGER NOT NULL DEFAULT 0; ALTER TABLE place ADD COLUMN key BLOB;",  # 0 -> 1
)
"""One step for each version; what was noted before lacks what a new column is for."""


def prepare(db: apsw.Connection) -> None:
    """Make the tables, or bring them up to date, inside the open transaction. ConfigError for those of the future."""
    version = db.pragma("user_version")
    if version > len(UPGRADES):
        raise ConfigError("the state database is of a newer version of mailark", "install that version again")
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'folder'").fetchall():
        db.execute(TABLES)
    else:
        for upgrade in UPGRADES[version:]:
            db.execute(upgrade)
    if version != len(UPGRADES):  # who only reads must not write: a full disk would keep mail from being found
        db.pragma("user_version", len(UPGRADES))
