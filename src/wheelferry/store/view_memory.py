"""What a runner remembers beside the catalog: of its cache, and of what was removed.

Kept in the view's file, so that an entry is forgotten in the step that forgets the last
segment which names it, and nothing outgrows the catalog.  Lost with the file: then what
was removed comes back once, and what was refused is looked at once more.
"""

import sqlite3
from collections.abc import Iterable, Mapping

from wheelferry.store.record import Identity
from wheelferry.store.view_access import ViewAccess
from wheelferry.store.view_file import transaction
from wheelferry.store.view_rows import Rejection


class Memory:
    """The notes of one view.

    `cache` is, everywhere, any text that tells a cache from one made in its place.
    Nothing is kept of what is noted while another process keeps the file busy.  Methods
    raise what those of a `View` do.
    """

    def __init__(self, access: ViewAccess) -> None:
        self._access = access

    def note_had(self, cache: str, identities: Iterable[Identity]) -> None:
        """Remember that the cache had these entries, whatever becomes of them there.

        With another cache than before, all of before is forgotten.  An entry is
        forgotten with the last segment that names it; one that no segment names is not
        noted.
        """
        names = tuple(identities)
        self._access.change(lambda db: _note_had(db, cache, names))

    def note_trimmed(self, cache: str, identities: Iterable[Identity]) -> None:
        """Remember, as `note_had`, and that a trim has removed them."""
        names = tuple(identities)
        self._access.change(lambda db: _note_had(db, cache, names, trimmed=names))

    def forget_trimmed(self, cache: str, identities: Iterable[Identity]) -> None:
        """Undo `note_trimmed`: they are in that cache again; `had` still has them."""
        names = [(name,) for name in identities]

        def forget(db: sqlite3.Connection) -> None:
            with transaction(db):
                if _is_of(db, cache):
                    sql = "UPDATE had SET trimmed = 0 WHERE identity = ?"
                    db.executemany(sql, names)

        self._access.change(forget)

    def had(self, cache: str) -> frozenset[Identity]:
        """Return all that `note_had` was told of this cache."""
        return self._had(cache, "SELECT identity FROM had")

    def trimmed(self, cache: str) -> frozenset[Identity]:
        """Return all that `note_trimmed` was told of this cache."""
        return self._had(cache, "SELECT identity FROM had WHERE trimmed")

    def evicted(self) -> dict[Identity, float]:
        """Return what was removed from the catalog, and is not in it again.

        With the time when that was last, by the clock of whoever removed it, to a second,
        and no later than now.  Lost with the file: then only what the catalog still tells
        of is known.
        """
        rows = self._access.rows(
            "SELECT e.identity, e.removed_s FROM evicted AS e WHERE NOT EXISTS "
            "(SELECT 1 FROM records AS r WHERE r.identity = e.identity AND r.live)"
        )
        return {Identity(identity): removed_s for identity, removed_s in rows}

    def replace_rejected(self, rejected: Mapping[Identity, Rejection]) -> None:
        """Remember these entries as refused, and no others."""
        rows = [(identity, *rejection) for identity, rejection in rejected.items()]

        def replace(db: sqlite3.Connection) -> None:
            with transaction(db):
                db.execute("DELETE FROM rejected")
                db.executemany("INSERT INTO rejected VALUES (?, ?, ?)", rows)

        self._access.change(replace)

    def rejected(self) -> dict[Identity, Rejection]:
        """Return what `replace_rejected` was told last."""
        rows = self._access.rows("SELECT identity, stamp, reason FROM rejected")
        return {Identity(name): Rejection(*values) for name, *values in rows}

    def _had(self, cache: str, sql: str) -> frozenset[Identity]:
        def find(db: sqlite3.Connection) -> frozenset[Identity]:
            if not _is_of(db, cache):
                return frozenset()
            return frozenset(Identity(identity) for (identity,) in db.execute(sql))

        return self._access.ask(find)


def _note_had(
    db: sqlite3.Connection,
    cache: str,
    names: Iterable[Identity],
    *,
    trimmed: Iterable[Identity] = (),
) -> None:
    with transaction(db):
        if not _is_of(db, cache):
            db.execute("DELETE FROM had")
            db.execute("REPLACE INTO meta VALUES ('cache', ?)", (cache,))
        db.executemany(
            "INSERT OR IGNORE INTO had (identity) SELECT ? WHERE EXISTS "
            "(SELECT 1 FROM records WHERE identity = ?)",
            [(name, name) for name in names],
        )
        db.executemany(
            "UPDATE had SET trimmed = 1 WHERE identity = ?",
            [(name,) for name in trimmed],
        )


def _is_of(db: sqlite3.Connection, cache: str) -> bool:
    row = db.execute("SELECT value FROM meta WHERE key = 'cache'").fetchone()
    return row is not None and bool(row[0] == cache)
