"""What this runner has read of a store and found sound, so that a verification can be cut off.

A small SQLite file in the state directory, which may be deleted at any time: then all is
read again.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Self

from wheelferry.disk.clock import monotonic_s
from wheelferry.store.record import Digest

_VERSION: Final = 1
_BUSY_S: Final = 10.0
_FLUSH_S: Final = 1.0
_FLUSH_ITEMS: Final = 100
"""What a kill may lose: so long, or so many objects."""

_STALE_S: Final = 14 * 24 * 3600
"""A verification that nobody has gone on with for so long begins anew."""

_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE read (digest BLOB PRIMARY KEY, at_s REAL NOT NULL) WITHOUT ROWID;
"""


class Memory:
    """The file `path`, for one store; raises no error: without it all is read again.

    Args:
        path: Of the file; its directory exists.
        store_id: What is known of another store is forgotten.
        now: This host's clock, in seconds since the epoch.
    """

    def __init__(self, path: Path, *, store_id: str, now: Callable[[], float]) -> None:
        self._now = now
        self._waiting: list[tuple[bytes, float]] = []
        self._flushed_s = monotonic_s()
        self._db = _open(path, store_id)

    def close(self) -> None:
        """Write what waits, and close the file."""
        self._flush()
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self, *, is_anew: bool) -> float:
        """Begin to read everything, or go on; return when that was begun."""
        now_s = self._now()
        rows = self._ask("SELECT value FROM meta WHERE key = 'began'")
        last = self._ask("SELECT max(at_s) FROM read")
        if rows and not is_anew:
            began_s = float(rows[0][0])
            gone_on_s = max(began_s, float(last[0][0] or 0.0))
            if began_s <= now_s and now_s - gone_on_s < _STALE_S:
                return began_s
        self._ask("REPLACE INTO meta VALUES ('began', ?)", (now_s,))
        return now_s

    def read_times(self) -> dict[Digest, float]:
        """Return when each object was read."""
        rows = self._ask("SELECT digest, at_s FROM read")
        return {Digest(bytes(digest).hex()): float(at_s) for digest, at_s in rows}

    def note(self, digest: Digest) -> None:
        """Remember that an object was read, and is sound."""
        self._waiting.append((bytes.fromhex(digest), self._now()))
        is_long_ago = monotonic_s() - self._flushed_s >= _FLUSH_S
        if is_long_ago or len(self._waiting) >= _FLUSH_ITEMS:
            self._flush()

    def finish(self) -> None:
        """Remember that everything was read."""
        self._ask("DELETE FROM meta WHERE key = 'began'")

    def forget_all_but(self, digests: Iterable[Digest]) -> None:
        """Forget what is in the store no more."""
        kept = frozenset(bytes.fromhex(digest) for digest in digests)
        known = [bytes(row[0]) for row in self._ask("SELECT digest FROM read")]
        self._write(
            "DELETE FROM read WHERE digest = ?",
            [(digest,) for digest in known if digest not in kept],
        )

    def _flush(self) -> None:
        self._write("REPLACE INTO read VALUES (?, ?)", self._waiting)
        self._waiting = []
        self._flushed_s = monotonic_s()

    def _ask(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._db:
                return self._db.execute(sql, values).fetchall()
        except sqlite3.Error:  # full, busy, damaged: it is a convenience
            return []

    def _write(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        try:
            with self._db:
                self._db.executemany(sql, rows)
        except sqlite3.Error:
            return


def _open(path: Path, store_id: str) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, timeout=_BUSY_S)
        try:
            _prepare(db, store_id)
        except sqlite3.Error:
            db.close()
            raise
    except sqlite3.Error:
        db = sqlite3.connect(":memory:")
        _prepare(db, store_id)
    return db


def _prepare(db: sqlite3.Connection, store_id: str) -> None:
    db.execute("PRAGMA synchronous = OFF")  # what a power loss takes is read again
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == _VERSION:
        row = db.execute("SELECT value FROM meta WHERE key = 'store'").fetchone()
        if row == (store_id,):
            return
    tables = "SELECT name FROM sqlite_master WHERE type = 'table'"
    for (table,) in db.execute(tables).fetchall():
        db.execute('DROP TABLE "{}"'.format(table.replace('"', '""')))
    db.executescript(_SCHEMA)
    db.execute("INSERT INTO meta VALUES ('store', ?)", (store_id,))
    db.execute(f"PRAGMA user_version = {_VERSION}")
    db.commit()
