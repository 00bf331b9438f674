"""The names of stores in the state: their identities, so that nothing is forgotten when an option of a URL changes."""

from __future__ import annotations

import apsw

from archiver.stores.table import identity


def rename_stores(db: apsw.Connection, table: str) -> None:
    """Let the rows of a table of this program go by identities; earlier versions wrote whole URLs.

    Of two names of one store, such as before and after a change of its options, the rows come together. Nothing is
    written where nothing is to be renamed. `table` is a name of ours, with a column `store` in its primary key.
    """
    for (name,) in list(db.execute(f"SELECT DISTINCT store FROM {table}")):  # noqa: S608
        if (wanted := identity(name)) != name:
            db.execute(f"UPDATE OR REPLACE {table} SET store = ? WHERE store = ?", (wanted, name))  # noqa: S608
