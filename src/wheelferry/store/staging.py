"""Files of a store before they have their names: written, synced, then renamed.

A runner writes only below `staging/<runner>/`, which it makes itself: the one directory
of a store that `init` cannot make in advance.  Names are random, so that two processes,
hosts or boots never meet.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from wheelferry.disk import Disk, clock
from wheelferry.store.beats import beat
from wheelferry.store.layout import (
    is_staged_name,
    is_trial_name,
    staged_path,
    staging_directory,
)
from wheelferry.store.trial import remove_folder

WRITE_BYTES: Final = 1 << 20
SYNC_BYTES: Final = 8 << 20
"""A file is synced at least whenever so much of it was written: a share that is full says
so before gigabytes were packed."""

SYNC_S: Final = 0.5
"""How long such a sync may take, about: a share that is slow is then seen to get on, and
a process that is killed waits for no more than that, which the kernel makes it do."""

FILE_MODE: Final = 0o444
"""Of everything committed: nobody changes it, everyone who may enter may read it."""

_GROUP_DIRECTORY: Final = 0o2775
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Staged(NamedTuple):
    """A file that is complete and synced, and has only its temporary name.

    Attributes:
        path: Where it is.
        digest: SHA-256 of the bytes that were written, in hex.
        size_bytes: How many those were.
    """

    path: Path
    digest: str
    size_bytes: int


class Staging:
    """One runner's part of `staging/` in the store at `root`; raises plain OSError."""

    def __init__(self, root: Path, *, disk: Disk, runner: str) -> None:
        self._root = root
        self._disk = disk
        self._runner = runner
        self._live: set[str] = set()

    @property
    def directory(self) -> Path:
        """The runner's own directory; exists once something was staged."""
        return self._root / staging_directory(self._runner)

    def write(self, chunks: Iterable[bytes]) -> Staged:
        """Write `chunks` to a new file, sync it, and return it; `commit` or `discard` it.

        Steps: open, set the mode if the umask took from it, write in large blocks with
        an fsync now and then, fsync, close.  Errors of earlier writes appear at the
        last two on NFS; so a file that is returned has arrived.  Killed anywhere, it
        leaves a file that no reader looks at and `sweep` removes.
        """
        path = self._root / staged_path(self._runner, os.urandom(16).hex())
        self._live.add(path.name)
        try:
            fd = self._open(path)
            try:
                # Now, while what the client knows of the file is fresh: no RPC.
                if stat.S_IMODE(os.fstat(fd).st_mode) != FILE_MODE:
                    self._disk.set_mode(fd, FILE_MODE)
                digest, size_bytes = self._fill(fd, chunks)
                self._disk.sync_file(fd)
                beat()
            finally:
                os.close(fd)
        except BaseException:
            self._remove(path)
            raise
        return Staged(path=path, digest=digest, size_bytes=size_bytes)

    def commit(self, staged: Staged, target: Path) -> None:
        """Rename to `target`, the commit point, and make the name durable.

        Killed before the rename: as in `write`.  After it: all of the file is there.
        """
        try:
            self._disk.rename(staged.path, target)
        except BaseException:
            self._remove(staged.path)
            raise
        beat()
        self._live.discard(staged.path.name)
        # On NFS the rename is durable by itself and this one GETATTR; on a local
        # filesystem it keeps a segment from surviving a pack that it names.
        self._disk.sync_dir(target.parent)

    def commit_new(self, staged: Staged, target: Path) -> bool:
        """Give the file the name `target` unless that exists; return whether it did.

        The commit point is one link(2), which is exact on NFS.  Killed after it: the
        temporary name stays behind too, for `sweep`.
        """
        try:
            made = self._disk.link_new(staged.path, target)
            self._disk.sync_dir(target.parent)
        finally:
            self._remove(staged.path)
        return made

    def discard(self, staged: Staged) -> None:
        """Remove a staged file that is not needed after all."""
        self._remove(staged.path)

    def try_write(self) -> float:
        """Write a file as a promotion does, remove it, and return its time.

        That is seconds of the server's clock.  A directory that was made for it goes too.
        Killed, it leaves what `write` leaves.
        """
        was_there = self.directory.is_dir()
        staged = self.write([])
        try:
            return staged.path.lstat().st_mtime
        finally:
            self.discard(staged)
            if not was_there:
                with contextlib.suppress(OSError):  # somebody else uses it by now
                    self._disk.remove_dir(self.directory)

    def sweep(self, *, older_than_s: float) -> int:
        """Remove files, and trial folders, that were not written to for so long.

        Returns how many.  Ages are differences between two times of the server: of the
        file, and of one that is made for this.  Files that this process is writing are
        left alone, and so is everything whose name is not one of ours.
        """
        try:
            names = [path.name for path in self.directory.iterdir()]
        except FileNotFoundError:
            return 0
        staged = [n for n in names if is_staged_name(n) and n not in self._live]
        staged += filter(is_trial_name, names)
        if not staged:
            return 0
        now_s = self.server_time_s()
        beat()
        removed = 0
        for name in staged:
            path = self.directory / name
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                if now_s - path.lstat().st_mtime > older_than_s:
                    removed += self._remove_old(path)
            beat()
        return removed

    def _remove_old(self, path: Path) -> bool:
        if not is_trial_name(path.name):
            return self._disk.unlink(path)
        remove_folder(path, self._disk)
        return True

    def server_time_s(self) -> float:
        """Return the time of a file that is made for this, and removed.

        On a share that is full, that of the runner's own directory, set to the present.
        """
        probe = self._root / staged_path(self._runner, os.urandom(16).hex())
        try:
            os.close(self._open(probe))
        except OSError as exc:
            if exc.errno not in _FULL or not self.directory.is_dir():
                raise
            self._disk.touch(self.directory)  # by the server: no time is sent along
            return self.directory.stat().st_mtime
        beat()
        try:
            return probe.lstat().st_mtime
        finally:
            self._disk.unlink(probe)

    def _open(self, path: Path) -> int:
        try:
            return self._disk.open_unique(path, FILE_MODE)
        except FileNotFoundError:
            self.make_directory()
        return self._disk.open_unique(path, FILE_MODE)

    def make_directory(self) -> bool:
        """Make the runner's own directory; return whether it was not there."""
        # Not its parents: if `staging/` is missing, the share is away.
        try:
            self._disk.make_dir(self.directory)
        except FileExistsError:
            return False
        if self.directory.parent.stat().st_mode & stat.S_IWGRP:
            # The same runner may promote as another user of the group tomorrow.  Where
            # systemd's RestrictSUIDSGID is set, the setgid bit may not even be named.
            # The directory has it from its parent, and only that user writes there then.
            with contextlib.suppress(PermissionError):
                self._disk.set_mode(self.directory, _GROUP_DIRECTORY)
        return True

    def _fill(self, fd: int, chunks: Iterable[bytes]) -> tuple[str, int]:
        import hashlib  # noqa: PLC0415 - 3 ms, and who only reads has no use for it

        hasher = hashlib.sha256()
        size_bytes = synced_bytes = 0
        step_bytes = WRITE_BYTES
        for block in _in_blocks(chunks):
            hasher.update(block)
            self._disk.write(fd, block)
            beat()
            size_bytes += len(block)
            if size_bytes - synced_bytes >= step_bytes:
                began_s = clock.monotonic_s()
                self._disk.sync_file(fd)
                beat()
                synced_bytes = size_bytes
                step_bytes = next_step(step_bytes, clock.monotonic_s() - began_s)
        return hasher.hexdigest(), size_bytes

    def _remove(self, path: Path) -> None:
        self._live.discard(path.name)
        # Whatever made us give up is the error to show; what stays is swept later.
        with contextlib.suppress(OSError):
            self._disk.unlink(path)


def next_step(step_bytes: int, took_s: float) -> int:
    """Return how much to write before the next sync, after one that took so long."""
    if took_s > SYNC_S:
        return max(WRITE_BYTES, step_bytes // 2)
    return min(SYNC_BYTES, step_bytes * 2) if took_s < SYNC_S / 2 else step_bytes


def _in_blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size_bytes = 0
    for chunk in chunks:
        waiting.append(chunk)
        size_bytes += len(chunk)
        if size_bytes >= WRITE_BYTES:
            yield waiting[0] if len(waiting) == 1 else b"".join(waiting)
            waiting, size_bytes = [], 0
    if size_bytes:
        yield b"".join(waiting)
