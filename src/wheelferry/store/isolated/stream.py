"""Objects on their way to and from the process that works on the store."""

import io
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class ReadBlock(Protocol):
    """Reads a part of one object."""

    def __call__(
        self, offset: int, size_bytes: int, take: Callable[[memoryview], T], /
    ) -> T:
        """Return what `take` makes of the next bytes, which stay for no longer.

        They are fewer than `size_bytes` at the end, or if those are more than a block.
        """
        ...


class IsolatedReader(io.RawIOBase):
    """An object opened for reading: unbuffered, seekable, for one thread at a time.

    Args:
        read_block: Reads a part of it.
        find_end: Returns its size in bytes.
        forget: Says that it is needed no longer; may be called at any moment.
    """

    def __init__(
        self,
        read_block: ReadBlock,
        *,
        find_end: Callable[[], int],
        forget: Callable[[], None],
    ) -> None:
        super().__init__()
        self._read_block = read_block
        self._find_end = find_end
        self._forget = forget
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        self._check_open()
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Change the position; return it."""
        self._check_open()
        if whence == os.SEEK_CUR:
            offset += self._position
        elif whence == os.SEEK_END:
            offset += self._find_end()
        if offset < 0:
            raise ValueError(f"negative position: {offset}")
        self._position = offset
        return offset

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]
        """Read into `buffer`; return the number of bytes: fewer only at the end.

        Raises:
            StoreError: As the reads of the object itself.
        """
        self._check_open()
        view = memoryview(buffer).cast("B")
        begin = self._position
        while view:
            count = self._read_block(self._position, len(view), _copier(view))
            if not count:
                break
            self._position += count
            view = view[count:]
        return self._position - begin

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes, or all that are left if it is negative or None."""
        self._check_open()
        left = (1 << 62) if size is None or size < 0 else size
        blocks: list[bytes] = []
        while left and (block := self._read_block(self._position, left, bytes)):
            self._position += len(block)
            left -= len(block)
            blocks.append(block)
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def readall(self) -> bytes:
        """Return all that is left; only for objects known to be small."""
        return self.read()

    def close(self) -> None:
        """Let the other process close the file, with the next call."""
        if not self.closed:
            self._forget()
        super().close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("read of a closed object")


def _copier(view: memoryview) -> Callable[[memoryview], int]:
    def copy(block: memoryview) -> int:
        view[: len(block)] = block
        return len(block)

    return copy


class Pieces:
    """The bytes of an object that is to be put, in pieces as large as they are wanted."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._iterator: Iterator[bytes] | None = None
        self._left = memoryview(b"")

    def fill(self, block: memoryview) -> int:
        """Fill `block` from its start; return how many bytes that is, 0 at the end.

        No chunk is taken before the first call.  Raises what the chunks raise.
        """
        if self._iterator is None:
            self._iterator = iter(self._chunks)
        done = 0
        while done < len(block):
            if not self._left:
                chunk = next(self._iterator, None)
                if chunk is None:
                    break
                self._left = memoryview(chunk)
            part = self._left[: len(block) - done]
            block[done : done + len(part)] = part
            self._left = self._left[len(part) :]
            done += len(part)
        return done
