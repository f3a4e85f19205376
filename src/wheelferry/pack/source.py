"""Read a pack from its start to its end, once, hashing all of it on the way.

The one place that judges whether a pack is what its name says.  What is parsed before
its last byte was hashed is only a claim; `PackSource.expect_end` settles it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import TypeAlias

from wheelferry.errors import (
    ObjectCorrupt,
    PackMalformed,
    StoreFormatUnsupported,
    UnsafePath,
)
from wheelferry.pack.format import HEAD_BYTES, Buffer, decode_head, decode_table
from wheelferry.pack.table import Layout, Table

Read: TypeAlias = Callable[[int], bytes]
"""Returns up to so many bytes, and b"" only at the end: `file.read`, or os.read."""

_BLOCK_BYTES = 1 << 20


class PackSource:
    """The bytes of one pack, taken in order.

    Args:
        read: Yields the pack; what it raises is passed on.
        digest: SHA-256 that all bytes must have, lower-case hex.
        size_bytes: Number of bytes there must be.
    """

    def __init__(self, read: Read, *, digest: str, size_bytes: int) -> None:
        self._read = read
        self._digest = digest
        self._size_bytes = size_bytes
        self._hasher = sha256()
        self._read_bytes = 0
        self._block = memoryview(b"")

    def take(self, size_bytes: int) -> Buffer:
        """Return the next bytes.

        Raises:
            ObjectCorrupt: The pack ends before.
        """
        if len(self._block) < size_bytes:
            parts: list[Buffer] = [self._block]
            missing = size_bytes - len(self._block)
            while missing > 0:
                self._next_block()
                parts.append(self._block[:missing])
                missing -= len(self._block)
            joined = b"".join(parts)
            self._block = self._block[len(parts[-1]) :]
            return joined
        taken, self._block = self._block[:size_bytes], self._block[size_bytes:]
        return taken

    def expect_end(self) -> None:
        """Read and hash what is left; settle whether the pack is what its name says.

        Raises:
            ObjectCorrupt: It is not.
        """
        while self._read_bytes < self._size_bytes:
            self._next_block()
        if self._read(1):
            raise ObjectCorrupt(f"{self} is longer than its {self._size_bytes} bytes")
        found = self._hasher.hexdigest()
        if found != self._digest:
            raise ObjectCorrupt(
                f"{self} does not have the digest that is its name: it has {found}",
                hint="the next promotion of a runner that missed it replaces it",
            )

    def take_table(self) -> tuple[Table, Layout]:
        """Return what the pack claims to hold; the first frame comes next.

        Raises:
            PackMalformed, UnsafePath, StoreFormatUnsupported: As `decode_table`.
            ObjectCorrupt: The pack ends before.
        """
        head = decode_head(self.take(min(HEAD_BYTES, self._size_bytes)))
        if head.table_comp_bytes > self._size_bytes - HEAD_BYTES:
            raise PackMalformed("the file table goes on after the end of the pack")
        table, layout = decode_table(head, self.take(head.table_comp_bytes))
        frames_bytes = sum(frame.comp_bytes for frame in table.frames)
        if HEAD_BYTES + head.table_comp_bytes + frames_bytes != self._size_bytes:
            raise PackMalformed("the frames do not add up to the size of the pack")
        return table, layout

    @contextmanager
    def blaming_damage(self) -> Iterator[None]:
        """Turn complaints about the content into ObjectCorrupt, if the digest is wrong.

        Then the bytes were damaged after they were written; otherwise the complaint
        stands, and whoever wrote the pack is to blame.
        """
        try:
            yield
        except (PackMalformed, UnsafePath, StoreFormatUnsupported) as exc:
            try:
                self.expect_end()
            except ObjectCorrupt as damage:
                raise damage from exc
            exc.message = f"{self}: {exc.message}"
            exc.args = (exc.message,)
            raise

    def __str__(self) -> str:
        return f"pack {self._digest[:16]}…"

    def _next_block(self) -> None:
        want = min(_BLOCK_BYTES, self._size_bytes - self._read_bytes)
        block = self._read(want) if want > 0 else b""
        if not block:
            raise ObjectCorrupt(
                f"{self} ends after {self._read_bytes} of {self._size_bytes} bytes"
            )
        self._hasher.update(block)
        self._read_bytes += len(block)
        self._block = memoryview(block)
