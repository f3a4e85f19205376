"""Read what one ELF file needs of others, and which versions of symbols it defines.

Done by pyelftools, which believes what a file says of itself: so it gets a stream that
ends a file which would have it read for long.  Nothing but headers, the dynamic segment
and the tables of versions is read, however large the file is.
"""

import io
from collections.abc import Iterator
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, cast

from wheelferry.native.needs import is_name

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.gnuversions import GNUVersionSection

MAGIC: Final = b"\x7fELF"

MAX_READS: Final = 20_000
MAX_READ_BYTES: Final = 4 << 20
"""What one file may cost; 20,000 reads are half a second.  Most take a few hundred."""

MAX_NAMES: Final = 4096
"""Entries in any of its tables."""

_ARCHES: Final = {
    ("EM_X86_64", 64, True): "x86_64",
    ("EM_386", 32, True): "i686",
    ("EM_AARCH64", 64, True): "aarch64",
    ("EM_ARM", 32, True): "arm",
    ("EM_PPC64", 64, True): "ppc64le",
    ("EM_PPC64", 64, False): "ppc64",
    ("EM_S390", 64, False): "s390x",
    ("EM_RISCV", 64, True): "riscv64",
    ("EM_LOONGARCH", 64, True): "loongarch64",
}
_FAMILIES: Final = {
    **dict.fromkeys(("i386", "i486", "i586"), "i686"),
    **dict.fromkeys(("armv6l", "armv7l", "armv8l"), "arm"),
}
_LINKED: Final = ("ET_DYN", "ET_EXEC")
_WEAK: Final = 2  # VER_FLG_WEAK: the loader only warns if it is missing


class NotUnderstood(Exception):
    """Something is an ELF file, and what it needs cannot be told; says why."""


class Elf(NamedTuple):
    """What an ELF file says of itself.

    Attributes:
        arch: A family of machines, as `family_of` has it; "" if it is not a known one.
        soname: The name that others know it by, or "".
        needed: Libraries that the loader looks for, by their sonames.
        used: Versions of symbols that it uses, by library.
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
    if file.read(len(MAGIC)) != MAGIC:
        return None
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415 - 60 ms

    try:
        return _read(ELFFile(cast("IO[bytes]", _Bounded(file))))
    except (NotUnderstood, OSError):
        raise
    except Exception as exc:
        # A forged file makes pyelftools raise whatever its code runs into: errors of its
        # own, KeyError, TypeError, UnicodeDecodeError and others were seen.
        raise NotUnderstood(f"it is not a sound ELF file: {exc!r:.100}") from exc


def _read(elf: "ELFFile") -> Elf | None:
    header = elf.header
    if header["e_type"] not in _LINKED:
        return None  # an object file, or a core: no loader looks at it
    arch = _ARCHES.get((header["e_machine"], elf.elfclass, elf.little_endian), "")
    dynamic = _read_dynamic(elf)
    used: dict[str, tuple[str, ...]] = {}
    defined: list[str] = []
    tables = _read_tables(elf, dynamic)
    if (needs := tables.get("VERNEED")) is not None:
        for entry, names in _entries(needs):
            library = _checked(entry.name)
            found = [aux.name for aux in names if not aux["vna_flags"] & _WEAK]
            used[library] = used.get(library, ()) + tuple(map(_checked, found))
    if (definitions := tables.get("VERDEF")) is not None:
        for _, names in _entries(definitions):
            # The first name is that of the version, the others are its parents.
            defined += [aux.name for aux in islice(names, 1)]
    return Elf(
        arch=arch,
        soname="".join(dynamic.get("DT_SONAME", [])[:1]),
        needed=tuple(map(_checked, dynamic.get("DT_NEEDED", ()))),
        used=tuple(sorted(used.items())),
        defined=tuple(defined),
    )


def _read_dynamic(elf: "ELFFile") -> dict[str, list[Any]]:
    """Return the values of the dynamic segment by tag; strings where they are names.

    It, and not the section of that name, is what the loader goes by.
    """
    from elftools.elf.dynamic import DynamicSegment  # noqa: PLC0415

    found: dict[str, list[Any]] = {}
    for segment in islice(elf.iter_segments(type="PT_DYNAMIC"), 1):
        if not isinstance(segment, DynamicSegment):
            continue
        for tag in _at_most(segment.iter_tags(), "dynamic entries"):
            name = str(tag.entry.d_tag)
            text = getattr(tag, name.removeprefix("DT_").lower(), None)
            found.setdefault(name, []).append(tag.entry.d_ptr if text is None else text)
    return found


def _read_tables(
    elf: "ELFFile", dynamic: dict[str, list[Any]]
) -> dict[str, "GNUVersionSection"]:
    """Return the tables of versions that the loader would use.

    pyelftools finds them by their sections, the loader by the dynamic segment: a file
    in which the two differ (its sections were stripped, or forged) is not understood.
    """
    from elftools.elf.gnuversions import GNUVersionSection  # noqa: PLC0415

    by_address: dict[int, GNUVersionSection] = {}
    if "DT_VERNEED" in dynamic or "DT_VERDEF" in dynamic:
        for section in _at_most(elf.iter_sections(), "sections"):
            if isinstance(section, GNUVersionSection):
                by_address[section["sh_addr"]] = section
    tables: dict[str, GNUVersionSection] = {}
    for name in ("VERNEED", "VERDEF"):
        if not (places := dynamic.get(f"DT_{name}")):
            continue
        table = by_address.get(places[0])
        if table is None or [table.num_versions()] != dynamic.get(f"DT_{name}NUM"):
            raise NotUnderstood("its sections do not say what its dynamic segment says")
        tables[name] = table
    return tables


def _entries(table: "GNUVersionSection") -> Iterator[tuple[Any, list[Any]]]:
    for entry, names in _at_most(table.iter_versions(), "versions"):
        yield entry, list(_at_most(names, "versions"))


def _at_most(items: Iterator[Any], what: str) -> Iterator[Any]:
    for number, item in enumerate(items):
        if number == MAX_NAMES:
            raise NotUnderstood(f"it has over {MAX_NAMES} {what}")
        yield item


def _checked(name: str | None) -> str:
    if not name or not is_name(name):
        raise NotUnderstood(f"it needs something of the odd name {name!r:.100}")
    return name


class _Bounded:
    """A file that can be read so often and so much, and no more."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._reads = MAX_READS
        self._bytes = MAX_READ_BYTES

    def read(self, size: int = -1) -> bytes:
        self._reads -= 1
        self._bytes -= size
        if size < 0 or self._reads < 0 or self._bytes < 0:
            raise NotUnderstood("it would take too long to read")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if offset < 0 or offset >> 62:
            raise NotUnderstood("it points outside of itself")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
