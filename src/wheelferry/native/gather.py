"""Find out what a wheel's tree needs of a machine."""

import shutil
import tempfile
from collections.abc import Iterable
from typing import IO, Final, cast

from wheelferry.native.elf import MAGIC, Elf, NotUnderstood, family_of, read_elf
from wheelferry.native.judge import Machine
from wheelferry.native.needs import GLIBC, MAX_LIBRARIES, MUSL, Needs, reduce
from wheelferry.native.platforms import find_tag, parse_platforms
from wheelferry.pack.writer import SourceFile

_IN_MEMORY_BYTES: Final = 8 << 20
"""A member of a `.whl` that is larger is unpacked into a temporary file to be read."""


def gather_needs(files: Iterable[SourceFile], *, tags: str, built_on: Machine) -> Needs:
    """Return what the files of a natively built wheel need.

    ELF files for the architecture of the wheel's tag count, wherever they lie and
    whatever they are called; those for another one are data, which some packages carry.
    A library is external if no file of the tree has its name: whether the loader finds
    one that is there is settled by the build, and the same everywhere.

    Args:
        files: The tree.
        tags: The wheel's, with a platform.
        built_on: The machine that built it.  Where no file needs a C library, the one
            there counts: modules have other names with glibc than with musl.

    Raises:
        NotUnderstood: Nothing certain can be said; names the file.
        OSError: A file cannot be read.
    """
    platforms = tuple(parse_platforms(find_tag(tags)))
    if len({platform.arch for platform in platforms}) != 1:
        raise NotUnderstood(f"its tag {find_tag(tags)} is not for one Linux machine")
    arch = platforms[0].arch
    shipped: set[str] = set()
    found: list[Elf] = []
    others: set[str] = set()
    for file in files:
        elf = _read(file)
        if elf is None:
            continue
        if elf.arch == family_of(arch):
            found.append(elf)
            shipped |= {file.path.rpartition("/")[2], elf.soname}
        else:
            others.add(elf.arch or "an unknown machine")
    if others and not found:
        raise NotUnderstood(f"tagged {arch}, it is for {' and '.join(sorted(others))}")
    return _sum_up(arch, found, shipped, built_on)


def _sum_up(
    arch: str, found: Iterable[Elf], shipped: set[str], built_on: Machine
) -> Needs:
    used: dict[str, set[str]] = {}
    for elf in found:
        for name in elf.needed:
            used.setdefault(name, set())
        for name, versions in elf.used:
            used.setdefault(name, set()).update(versions)
    external = {name: reduce(used[name]) for name in sorted(used.keys() - shipped)}
    if len(external) > MAX_LIBRARIES:
        raise NotUnderstood(f"it needs {len(external)} libraries")
    return Needs(
        arch=arch,
        libc=_find_libc(external.keys()) or built_on.libc,
        libraries=tuple(external.items()),
        distribution=built_on.distribution,
    )


def _find_libc(libraries: Iterable[str]) -> str:
    """Return whose C library these are, by the names that both have for theirs."""
    names = set(libraries)
    if any(name == "libc.so" or name.startswith("libc.musl-") for name in names):
        return MUSL
    # libc.so.6.1 on Alpha and Itanium; every other library of glibc's needs this one.
    return GLIBC if any(name.startswith("libc.so.") for name in names) else ""


def _read(file: SourceFile) -> Elf | None:
    with file.open() as raw:
        is_seekable = raw.seekable()
        if raw.read(len(MAGIC)) != MAGIC:
            return None
        try:
            if is_seekable:
                raw.seek(0)
                return read_elf(raw)
            with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as copy:
                copy.write(MAGIC)
                shutil.copyfileobj(raw, copy)
                copy.seek(0)
                return read_elf(cast("IO[bytes]", copy))
        except NotUnderstood as exc:
            raise NotUnderstood(f"{file.path}: {exc}") from exc
