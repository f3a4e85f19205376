"""The same files as files: what uv reads of a cache on a share, and rsync and `cp` too."""

import errno
import os
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final

from wheelferry.bench.flow import Flow
from wheelferry.bench.sample import TreeFile
from wheelferry.disk import Disk, clock
from wheelferry.pack.pool import Pool
from wheelferry.store.reading import Reads

ARCHIVES: Final = "archive-v0"
_MOST_AT_ONCE: Final = 8
_LOOK_S: Final = 0.1
_BLOCK_BYTES: Final = 1 << 20


def list_files(cache: Path) -> list[TreeFile]:
    """Return the files of all unpacked wheels in a cache."""
    found = []
    root = str(cache)
    for folder, _, names in os.walk(cache / ARCHIVES):
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118 - of thousands
            found.append(TreeFile(os.path.relpath(path, root), os.path.getsize(path)))  # noqa: PTH202
    return found


def write_files(
    root: Path, names: Sequence[str], target: Path, disk: Disk, flow: Flow
) -> tuple[int, int, float]:
    """Copy files from `root` to `target`, in the order given: number, bytes, seconds."""
    began_s = clock.monotonic_s()
    count = size_bytes = 0
    made = ""
    for name in names:
        if not flow.goes_on():
            break
        parent, _, _ = name.rpartition("/")
        if parent != made:
            disk.make_dirs(target / parent)
            made = parent
        data = (root / name).read_bytes()
        flow.wait_for(len(data))
        disk.create_file(target / name, data)
        count, size_bytes = count + 1, size_bytes + len(data)
    return count, size_bytes, clock.monotonic_s() - began_s


def read_files(
    root: Path,
    names: Sequence[str],
    target: Path,
    *,
    max_bytes: int,
    reads: Reads,
    disk: Disk,
    flow: Flow,
) -> tuple[int, int, float]:
    """Copy files of the share from `root` to `target`, several directories at a time.

    As uv does where it cannot make hardlinks: with one thread for each core.  Not much more
    than `max_bytes` is copied, whatever they have become.
    """
    began_s = clock.monotonic_s()
    reader = _Reader(root, target, max_bytes, reads=reads, disk=disk, flow=flow)
    groups = [list(g) for _, g in groupby(names, lambda n: n.rpartition("/")[0])]
    with Pool(workers=min(_MOST_AT_ONCE, os.cpu_count() or 1)) as pool:
        jobs = [pool.submit(partial(reader.copy, g), weight_bytes=0) for g in groups]
        try:
            for job in jobs:
                heard = reader.count
                while not job.wait(_LOOK_S):
                    if reader.count != heard:  # or nobody is to hear of it
                        heard = reader.count
                        reader.is_over = not flow.goes_on()
                job.result()
                reader.is_over = not flow.goes_on()
        finally:
            reader.is_over = True
    return reader.count, reader.size_bytes, clock.monotonic_s() - began_s


class _Reader:
    """Copies directories, in several threads."""

    def __init__(
        self,
        root: Path,
        target: Path,
        max_bytes: int,
        *,
        reads: Reads,
        disk: Disk,
        flow: Flow,
    ) -> None:
        self.count = 0
        self.size_bytes = 0
        self.is_over = False
        self._root = root
        self._target = target
        self._max_bytes = max_bytes
        self._reads = reads
        self._disk = disk
        self._flow = flow

    def copy(self, names: Sequence[str]) -> None:
        """Copy the files of one directory."""
        self._disk.make_dirs((self._target / names[0]).parent)
        for name in names:
            if self.is_over:
                return
            self._copy_file(name)
            self.count += 1

    def _copy_file(self, name: str) -> None:
        """Copy one, a block at a time: on the share it may have become any other."""
        path = self._root / name
        fd = self._reads.open_file(path)
        try:
            copy = self._disk.open_new(self._target / name)
            try:
                while not self.is_over and (block := os.read(fd, _BLOCK_BYTES)):
                    if self.size_bytes > self._max_bytes:
                        text = os.strerror(errno.EFBIG)
                        raise OSError(errno.EFBIG, text, str(path))
                    self._flow.wait_for(len(block))
                    self._disk.write(copy, block)
                    self.size_bytes += len(block)
            finally:
                os.close(copy)
        finally:
            os.close(fd)
