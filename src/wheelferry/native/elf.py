"""Read what one ELF file needs of others, and which versions of symbols it defines.

What is read is what ld.so(8) goes by: program headers, the dynamic segment, its strings
and its tables of versions, as in the System V gABI and, for the versions, the Linux
Standard Base (Core, "Symbol Versioning").  Never sections, which may be stripped.

Own code, about a page of it, because it is read at each promotion from files that anyone
may have made: pyelftools goes by sections, and parses the hash tables of each file that
it opens (more than 20,000 reads for libLLVM), without end if a forged file says so.
Here each table is bounded, and the largest file costs a few hundred reads.
"""

import struct
from collections.abc import Iterator
from typing import IO, Final, NamedTuple

from wheelferry.native.needs import is_name

MAGIC: Final = b"\x7fELF"

MAX_SEGMENTS: Final = 256
MAX_ENTRIES: Final = 4096
"""Of the dynamic segment, and of the tables of versions with their names."""

MAX_NAME_BYTES: Final = 256

_ARCHES: Final = {  # by e_machine, bits and byte order
    (3, 32, "<"): "i686",
    (21, 64, "<"): "ppc64le",
    (21, 64, ">"): "ppc64",
    (22, 64, ">"): "s390x",
    (40, 32, "<"): "arm",
    (62, 64, "<"): "x86_64",
    (183, 64, "<"): "aarch64",
    (243, 64, "<"): "riscv64",
    (258, 64, "<"): "loongarch64",
}
_FAMILIES: Final = {
    **dict.fromkeys(("i386", "i486", "i586"), "i686"),
    **dict.fromkeys(("armv6l", "armv7l", "armv8l"), "arm"),
}
_BITS: Final = {1: 32, 2: 64}
_ORDERS: Final = {1: "<", 2: ">"}
_LINKED: Final = (2, 3)  # ET_EXEC, ET_DYN
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_SONAME = 0, 1, 5, 14
_DT_VERDEF, _DT_VERDEFNUM = 0x6FFFFFFC, 0x6FFFFFFD
_DT_VERNEED, _DT_VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF
_VER_FLG_BASE: Final = 1  # names the file, and is no version of a symbol
_VER_FLG_WEAK: Final = 2  # if it is missing, ld.so only warns


class NotUnderstood(Exception):
    """Something is an ELF file, and what it needs cannot be told; says why."""


class Elf(NamedTuple):
    """What an ELF file says of itself.

    Attributes:
        arch: A family of machines, as `family_of` has it; "" if it is not a known one.
        soname: The name that others know it by, or "".
        needed: Libraries that the loader looks for, by their sonames.
        used: Versions of symbols that it cannot do without, by library.
        defined: Versions of symbols that it defines; a library may have none.
    """

    arch: str
    soname: str
    needed: tuple[str, ...]
    used: tuple[tuple[str, tuple[str, ...]], ...]
    defined: tuple[str, ...]


def family_of(arch: str) -> str:
    """Return the name that ELF files of an architecture have here."""
    return _FAMILIES.get(arch, arch)


def read_elf(file: IO[bytes]) -> Elf | None:
    """Return what a file says; None if it is not one that a loader takes.

    `file` can be sought in, and is at its start; the caller closes it.

    Raises:
        NotUnderstood: It is an ELF file that is damaged, forged, or of a strange make.
        OSError: It cannot be read.
    """
    head = file.read(20)
    if head[:4] != MAGIC:
        return None
    if len(head) < 20:
        raise NotUnderstood("it is cut off")
    bits, order = _BITS.get(head[4]), _ORDERS.get(head[5])
    if bits is None or order is None:
        raise NotUnderstood("its header is none")
    kind, machine = struct.unpack_from(f"{order}HH", head, 16)
    if kind not in _LINKED:
        return None  # an object file, or a core: no loader looks at it
    arch = _ARCHES.get((machine, bits, order), "")
    image = _Image(file, bits, order)
    if not image.dynamic:
        return Elf(arch, "", (), (), ())  # linked statically
    return Elf(
        arch=arch,
        soname="".join(image.names(_DT_SONAME)),
        needed=tuple(_check_name(name) for name in image.names(_DT_NEEDED)),
        used=tuple(_find_used(image)),
        defined=tuple(_find_defined(image)),
    )


def _find_used(image: "_Image") -> Iterator[tuple[str, tuple[str, ...]]]:
    for start, (_, count, file, aux, _) in image.table(
        _DT_VERNEED, _DT_VERNEEDNUM, "HHIII"
    ):
        versions = [
            _check_name(image.text(name))
            for _, (_, flags, _, name, _) in image.chain(start + aux, count, "IHHII")
            if not flags & _VER_FLG_WEAK
        ]
        yield _check_name(image.text(file)), tuple(versions)


def _find_defined(image: "_Image") -> Iterator[str]:
    for start, (_, flags, _, count, _, aux, _) in image.table(
        _DT_VERDEF, _DT_VERDEFNUM, "HHHHIII"
    ):
        if not flags & _VER_FLG_BASE:
            # The first name is that of the version, the others are its parents.
            for _, (name, _) in image.chain(start + aux, min(count, 1), "II"):
                yield image.text(name)


def _check_name(name: str) -> str:
    if not is_name(name):
        raise NotUnderstood(f"it needs something of the odd name {name!r}")
    return name


class _Image:
    """A file as it lies in memory: what is asked for by address is read from the file.

    Attributes:
        dynamic: Tags and values of the dynamic segment.
    """

    def __init__(self, file: IO[bytes], bits: int, order: str) -> None:
        self._file = file
        self._order = order
        self._left = MAX_ENTRIES
        word = "Q" if bits == 64 else "I"
        # e_entry, e_phoff, e_shoff; e_flags, e_ehsize, e_phentsize, e_phnum
        _, start, _, _, _, size, count = self._read(24, f"{word * 3}IHHH")
        header = "IIQQQQQQ" if bits == 64 else "IIIIIIII"
        if count > MAX_SEGMENTS or size != struct.calcsize(f"<{header}"):
            raise NotUnderstood("its program headers are none")
        self._loads: list[tuple[int, int, int]] = []
        dynamic: tuple[int, int] | None = None
        for number in range(count):
            values = self._read(start + number * size, header)
            # p_offset, p_vaddr and p_filesz; p_flags is elsewhere with 32 bits.
            offset, address, _, length = values[2:6] if bits == 64 else values[1:5]
            if values[0] == _PT_LOAD:
                self._loads.append((address, offset, length))
            elif values[0] == _PT_DYNAMIC:
                dynamic = offset, length
        self.dynamic: list[tuple[int, int]] = []
        if dynamic is not None:
            self._read_dynamic(*dynamic, f"{word}{word}")

    def _read_dynamic(self, offset: int, length: int, entry: str) -> None:
        size = struct.calcsize(f"<{entry}")
        for number in range(length // size):
            self._count()
            tag, value = self._read(offset + number * size, entry)
            if tag == _DT_NULL:
                break
            self.dynamic.append((tag, value))

    def names(self, tag: int) -> list[str]:
        """Return the strings that entries of the dynamic segment name."""
        return [self.text(value) for found, value in self.dynamic if found == tag]

    def text(self, place: int) -> str:
        """Return one string of the table of strings."""
        offset = self._offset_of(self._value(_DT_STRTAB)) + place
        self._seek(offset)
        name, end, _ = self._file.read(MAX_NAME_BYTES).partition(b"\0")
        if not end:
            raise NotUnderstood("a name in it has no end")
        return name.decode("ascii", "backslashreplace")

    def table(
        self, tag: int, count_tag: int, entry: str
    ) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield the entries of a table of versions, with their places in the file."""
        if any(found == tag for found, _ in self.dynamic):
            start = self._offset_of(self._value(tag))
            yield from self.chain(start, self._value(count_tag), entry)

    def chain(
        self, offset: int, count: int, entry: str
    ) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield entries whose last value is the distance of the next, or 0."""
        for _ in range(count):
            self._count()
            values = self._read(offset, entry)
            yield offset, values
            if not values[-1]:
                break
            offset += values[-1]

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise NotUnderstood(f"its tables have over {MAX_ENTRIES} entries")

    def _value(self, tag: int) -> int:
        for found, value in self.dynamic:
            if found == tag:
                return value
        raise NotUnderstood("its dynamic segment lacks an entry")

    def _offset_of(self, address: int) -> int:
        for start, offset, length in self._loads:
            if start <= address < start + length:
                return address - start + offset
        raise NotUnderstood("its dynamic segment points out of the file")

    def _read(self, offset: int, values: str) -> tuple[int, ...]:
        size = struct.calcsize(f"<{values}")
        self._seek(offset)
        data = self._file.read(size)
        if len(data) != size:
            raise NotUnderstood("it is cut off")
        return struct.unpack(f"{self._order}{values}", data)

    def _seek(self, offset: int) -> None:
        if offset >> 62:  # more than a file can have, and than can be asked for
            raise NotUnderstood("it points out of the file")
        self._file.seek(offset)
