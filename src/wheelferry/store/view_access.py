"""One process's access to a view: its connection, and what replaces a damaged file.

Whatever is asked, a file that turns out to be damaged is thrown away and read from the
store again, and the question is asked once more.
"""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

from wheelferry.disk import Disk
from wheelferry.store.base import Store
from wheelferry.store.view_file import (
    connect,
    connect_memory,
    is_busy,
    is_corrupt,
    remove,
    view_error,
)
from wheelferry.store.view_refresh import Refresh, refresh

T = TypeVar("T")


class ViewAccess:
    """A connection to the view in `path`; belongs to one thread.

    All methods raise CacheError if the file cannot be used, and StoreError if it was
    damaged and the catalog cannot be listed.
    """

    def __init__(
        self,
        path: Path,
        *,
        store_id: str,
        disk: Disk,
        busy_timeout_s: float,
    ) -> None:
        self._path = path
        self._store_id = store_id
        self._disk = disk
        self._busy_timeout_s = busy_timeout_s
        self._store: Store | None = None
        self._is_first = not path.exists()
        self._names: Collection[str] | None = None
        self._db = self._connect()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def refresh(self, store: Store, names: Collection[str] | None) -> Refresh:
        """Bring the view up to date; `View.refresh` says how."""
        self._store = store
        if self._is_first and names is not None:
            self._db.close()
            self._db = connect_memory(self._store_id)
            self._names = names
        self._is_first = False
        try:
            return refresh(self._db, store, self._names)
        except sqlite3.Error as exc:
            if is_busy(exc):
                return Refresh(deferred=True)
            return self._make_anew(exc)

    def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Return the answer, of a file made anew if this one is damaged."""
        try:
            return question(self._db)
        except sqlite3.Error as exc:
            self._make_anew(exc)
        try:
            return question(self._db)
        except sqlite3.Error as exc:
            raise view_error(exc, self._path) from exc

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return what a statement selects; no value may be part of its text."""
        return self.ask(lambda db: db.execute(sql, values).fetchall())

    def change(self, change: Callable[[sqlite3.Connection], object]) -> None:
        """Make a change that may be lost if another process keeps the file busy."""

        def attempt(db: sqlite3.Connection) -> None:
            try:
                change(db)
            except sqlite3.Error as exc:
                if not is_busy(exc):
                    raise

        self.ask(attempt)

    def _make_anew(self, damage: sqlite3.Error) -> Refresh:
        """Replace a damaged file, and read the catalog as far as it was read before.

        Raises:
            CacheError: It is not damaged, or cannot be replaced.
            StoreError: The catalog cannot be listed.
        """
        if not is_corrupt(damage):
            raise view_error(damage, self._path) from damage
        self._db.close()
        remove(self._path, disk=self._disk)
        self._names = None  # those of a view in memory: this one is a file, for all
        self._db = self._connect()
        if self._store is None:
            return Refresh()
        try:
            return refresh(self._db, self._store)
        except sqlite3.Error as exc:
            raise view_error(exc, self._path) from exc

    def _connect(self) -> sqlite3.Connection:
        return connect(
            self._path,
            store_id=self._store_id,
            disk=self._disk,
            busy_timeout_s=self._busy_timeout_s,
        )
