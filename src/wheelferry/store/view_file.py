"""The SQLite file behind a view: its tables, and when it is thrown away.

It is an index of what the store says anyway, so nothing in it is worth repairing: a file
of another store, of another version of these tables, or a damaged one is deleted.
SQLite locks it on the runner's own disk; it must not be on the share.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wheelferry import __version__
from wheelferry.disk import Disk, clock
from wheelferry.errors import CacheError

SCHEMA_VERSION: Final = 6
BUSY_TIMEOUT_S: Final = 10.0

_CACHE_BYTES: Final = 8 << 20
"""What SQLite keeps of the file in memory, at most.

Identities are random, so each new record changes a page of the index anywhere: with
SQLite's own 2 MB, a first refresh of 100,000 records takes a seventh longer.
"""

# What SQLite says of a file that is damaged: by its own checks, or because a table is
# gone, an index and its table disagree, or a value is not what was written.
_CORRUPT: Final = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_TOOBIG,
    }
)
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

# `live` is what queries ask for: not tombstoned, and of several records of one identity,
# pack and needs the one that is chosen.  `refresh` keeps it true.  Small files are in a table
# of their own, so that a scan of all records does not read them.  References begin at
# random: one of a file that was thrown away names nothing in the next.
_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE segments (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, merged INTEGER NOT NULL,
  created_s INTEGER NOT NULL, records INTEGER NOT NULL, raw_bytes INTEGER NOT NULL,
  is_plain INTEGER NOT NULL
);
CREATE TABLE replaces (
  segment TEXT NOT NULL, by_n INTEGER NOT NULL, PRIMARY KEY (segment, by_n)
) WITHOUT ROWID;
CREATE INDEX replaces_by ON replaces (by_n);
CREATE TABLE refused (
  id TEXT PRIMARY KEY, message TEXT NOT NULL, attempts INTEGER NOT NULL,
  wait INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE tombstones (
  segment TEXT NOT NULL, number INTEGER NOT NULL, by_n INTEGER NOT NULL,
  PRIMARY KEY (segment, number, by_n)
) WITHOUT ROWID;
CREATE INDEX tombstones_by ON tombstones (by_n);
CREATE TABLE removals (
  by_n INTEGER NOT NULL, identity TEXT NOT NULL, at_s INTEGER NOT NULL,
  PRIMARY KEY (by_n, identity)
) WITHOUT ROWID;
CREATE INDEX removals_by_identity ON removals (identity, at_s);
CREATE TABLE bans (
  name TEXT NOT NULL, version TEXT NOT NULL, by_n INTEGER NOT NULL,
  PRIMARY KEY (name, version, by_n)
) WITHOUT ROWID;
CREATE TABLE records (
  ref INTEGER PRIMARY KEY, segment_n INTEGER NOT NULL, number INTEGER NOT NULL,
  live INTEGER NOT NULL, roles INTEGER NOT NULL, identity TEXT NOT NULL,
  format_id TEXT NOT NULL, kind TEXT NOT NULL, shard TEXT NOT NULL,
  settings TEXT NOT NULL, stem TEXT NOT NULL, name TEXT NOT NULL,
  version TEXT NOT NULL, tags TEXT NOT NULL, hashes TEXT NOT NULL, size_bytes INTEGER,
  pack TEXT NOT NULL, pack_bytes INTEGER NOT NULL, tree_bytes INTEGER NOT NULL,
  tree_files INTEGER NOT NULL, needs TEXT NOT NULL
);
CREATE UNIQUE INDEX records_by_place ON records (segment_n, number);
CREATE INDEX records_by_identity ON records (identity, pack);
CREATE INDEX records_by_name ON records (name);
CREATE TABLE bodies (ref INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE missing (
  pack TEXT PRIMARY KEY, attempts INTEGER NOT NULL, wait INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE had (
  identity TEXT PRIMARY KEY, trimmed INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE evicted (identity TEXT PRIMARY KEY, removed_s REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE rejected (
  identity TEXT PRIMARY KEY, stamp TEXT NOT NULL, reason TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES ('next_ref', abs(random() >> 2));
"""

COUNT_ATTEMPT: Final = (
    "attempts = attempts + 1, wait = excluded.wait << min(attempts, 6)"
)
"""What `refused` and `missing` do on a conflict; `count_down` takes one off `wait`.

So after the first failure nothing waits, then for 1, 3, 7 and at most 63 refreshes.
"""


def is_corrupt(exc: sqlite3.Error) -> bool:
    """Return whether SQLite says that the file is damaged."""
    code = _primary_code(exc)
    if code is None:  # text that is not UTF-8
        return isinstance(exc, sqlite3.OperationalError)
    return code in _CORRUPT


def is_busy(exc: sqlite3.Error) -> bool:
    """Return whether another process held the file for longer than we waited."""
    return _primary_code(exc) in _BUSY


def _primary_code(exc: sqlite3.Error) -> int | None:
    # Absent from errors of the Python module itself, such as wrong use.
    code: int | None = getattr(exc, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def view_error(exc: sqlite3.Error, path: Path) -> CacheError:
    """Return the error to be raised from `exc`."""
    return CacheError(
        f"cannot use this runner's view of the store, {path}: {exc}",
        hint=f"let this user write to {path.parent}; if it is damaged, delete the "
        "file: it is made again from the store",
    )


def connect(
    path: Path, *, store_id: str, disk: Disk, busy_timeout_s: float
) -> sqlite3.Connection:
    """Return a connection to a view of that store, made anew if need be.

    Killed half way through making one, it leaves an empty file or a whole one.

    Raises:
        CacheError: It can be neither used nor made.
    """
    try:
        disk.make_dirs(path.parent)
    except OSError as exc:
        raise CacheError(
            f"cannot make the directory {path.parent}: {exc.strerror}",
            hint="the state directory must be where this user may write",
        ) from exc
    try:
        try:
            return _connect(path, store_id, busy_timeout_s)
        except sqlite3.DatabaseError as exc:
            if not is_corrupt(exc):
                raise
        remove(path, disk=disk)
        return _connect(path, store_id, busy_timeout_s)
    except sqlite3.Error as exc:
        raise view_error(exc, path) from exc


def connect_memory(store_id: str) -> sqlite3.Connection:
    """Return a connection to a view that is nowhere but in memory, and empty."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    _make(db, store_id)
    return db


def read_store_id(path: Path) -> str | None:
    """Return the id of the store that a view is of; None if there is no view to use."""
    if not path.is_file():
        return None
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            row = db.execute("SELECT value FROM meta WHERE key = 'store_id'").fetchone()
    except sqlite3.Error:
        return None
    return None if row is None else str(row[0])


def remove(path: Path, *, disk: Disk) -> None:
    """Delete the file, and first the two beside it that SQLite would replay into it."""
    for suffix in ("-wal", "-shm", ""):
        disk.unlink(f"{path}{suffix}")


def _connect(path: Path, store_id: str, busy_timeout_s: float) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)
    try:
        _enter_wal(db, busy_timeout_s)
        # Commits wait for no fsync, and after a power loss the file is old but whole.
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA cache_size = -{_CACHE_BYTES >> 10}")
        if not _is_current(db, store_id):
            _make(db, store_id)
        _forgive(db)
    except BaseException:
        db.close()
        raise
    return db


def _enter_wal(db: sqlite3.Connection, busy_timeout_s: float) -> None:
    """Let readers and one writer work at once; the mode stays with the file."""
    # SQLite does not wait for others here, whatever its timeout says.
    deadline = clock.monotonic_s() + busy_timeout_s
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if not is_busy(exc) or clock.monotonic_s() > deadline:
                raise
            clock.pause(0.01)
        else:
            return


def _is_current(db: sqlite3.Connection, store_id: str) -> bool:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        return False
    try:
        row = db.execute("SELECT value FROM meta WHERE key = 'store_id'").fetchone()
    except sqlite3.OperationalError as exc:
        if _primary_code(exc) == sqlite3.SQLITE_ERROR:  # no such table
            return False
        raise
    return row is not None and bool(row[0] == store_id)


def _make(db: sqlite3.Connection, store_id: str) -> None:
    """Empty the file and make the tables, in one transaction."""
    with transaction(db):
        if _is_current(db, store_id):  # another process made it while we waited
            return
        tables = db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' "
            "AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        for (table,) in tables:
            db.execute('DROP TABLE "{}"'.format(table.replace('"', '""')))
        for statement in filter(None, map(str.strip, _SCHEMA.split(";"))):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("INSERT INTO meta VALUES ('store_id', ?)", (store_id,))


def _forgive(db: sqlite3.Connection) -> None:
    """Let an upgraded Wheelferry try at once what the one before could not use."""
    row = db.execute("SELECT value FROM meta WHERE key = 'writer'").fetchone()
    if row != (__version__,):
        with transaction(db):
            db.execute("DELETE FROM refused")
            db.execute("DELETE FROM rejected")
            db.execute("REPLACE INTO meta VALUES ('writer', ?)", (__version__,))


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Hold the one write transaction of the file; commit, or roll back on an error."""
    # IMMEDIATE: wait for other writers here, and not half way.
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:  # SQLite rolls back by itself when the disk is full
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def count_down(db: sqlite3.Connection) -> None:
    """Let all that waits do so for one refresh less; writes only if something does."""
    waiting = "SELECT 1 FROM refused WHERE wait > 0 UNION ALL SELECT 1 FROM missing"
    if db.execute(f"{waiting} WHERE wait > 0 LIMIT 1").fetchone():
        with transaction(db):
            db.execute("UPDATE refused SET wait = wait - 1 WHERE wait > 0")
            db.execute("UPDATE missing SET wait = wait - 1 WHERE wait > 0")
