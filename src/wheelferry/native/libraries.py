"""The libraries that this machine's dynamic loader finds, with what they define.

Each is looked up once and remembered, with the stamp of its file, in the runner's state
directory: a pull asks for the same ones each time.  What is remembered is forgotten with
the cache of ldconfig(8), which the package managers write anew.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from wheelferry.disk import Disk
from wheelferry.native.needs import GLIBC, Versions

LDCONFIG: Final = ("/sbin/ldconfig", "/usr/sbin/ldconfig")
LOADER_CACHE: Final = "/etc/ld.so.cache"
GLIBC_DIRS: Final = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")
MUSL_DIRS: Final = ("/lib", "/usr/local/lib", "/usr/lib")

_MAX_MEMORY_BYTES: Final = 4 << 20
_LDCONFIG_S: Final = 10.0

_Stamp: TypeAlias = tuple[int, int, int]
_Found: TypeAlias = tuple[str, _Stamp, Versions]
"""Path, stamp and versions."""


class InstalledLibraries(Mapping[str, Versions]):
    """Versions that a library defines, by soname; absent if the loader finds none.

    Args:
        arch: Of the machine; libraries for others do not count.
        libc: Whose loader it is.
        memory: The file that remembers; missing, damaged or not writable, it is done
            without.
        disk: What writes it.
        loader_cache: What ldconfig(8) writes.
        ldconfig: Where that program may be.
        dirs: Where the loader looks besides; those of `libc` unless given.
    """

    def __init__(
        self,
        arch: str,
        libc: str,
        *,
        memory: Path,
        disk: Disk,
        loader_cache: str = LOADER_CACHE,
        ldconfig: tuple[str, ...] = LDCONFIG,
        dirs: tuple[str, ...] | None = None,
    ) -> None:
        self._arch = arch
        self._memory = memory
        self._disk = disk
        self._loader_cache = loader_cache
        self._ldconfig = ldconfig if libc == GLIBC else ()
        if dirs is None:
            dirs = GLIBC_DIRS if libc == GLIBC else _read_musl_dirs(arch)
        self._dirs = dirs
        self._known: dict[str, _Found | None] | None = None
        self._listed: dict[str, list[str]] | None = None
        self._answers: dict[str, Versions | None] = {}

    def __getitem__(self, soname: str) -> Versions:
        if soname not in self._answers:
            self._answers[soname] = self._find(soname)
        versions = self._answers[soname]
        if versions is None:
            raise KeyError(soname)
        return versions

    def __iter__(self) -> Iterator[str]:
        return iter(
            [name for name, found in self._answers.items() if found is not None]
        )

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _find(self, soname: str) -> Versions | None:
        if self._known is None:
            self._known = self._load()
        if soname in self._known:
            found = self._known[soname]
            if found is None:  # ldconfig does not have it
                found = self._read_first(f"{root}/{soname}" for root in self._dirs)
            elif _stamp(found[0]) != found[1]:
                found = self._look_up(soname)
        else:
            found = self._look_up(soname)
        if soname not in self._known or self._known[soname] != found:
            self._known[soname] = found
            self._save(self._known)
        return None if found is None else found[2]

    def _look_up(self, soname: str) -> _Found | None:
        if self._listed is None:
            self._listed = self._list()
        paths = list(self._listed.get(soname, ()))
        paths += [f"{root}/{soname}" for root in self._dirs]
        return self._read_first(iter(paths))

    def _read_first(self, paths: Iterator[str]) -> _Found | None:
        """Return the first of these files that is a library for this machine."""
        from wheelferry.native.elf import NotUnderstood, family_of, read_elf  # noqa: PLC0415

        for path in paths:
            stamp = _stamp(path)
            if stamp is None:
                continue
            try:
                with open(path, "rb") as file:  # noqa: PTH123 - no pathlib needed
                    elf = read_elf(file)
            except (OSError, NotUnderstood):
                continue  # the loader might take it: then a wheel is built once more
            if elf is not None and elf.arch == family_of(self._arch):
                return path, stamp, elf.defined
        return None

    def _list(self) -> dict[str, list[str]]:
        """Return the paths that ldconfig(8) has for each soname, in its order."""
        import subprocess  # noqa: PLC0415 - only for what is not remembered

        for program in self._ldconfig:
            try:
                done = subprocess.run(  # noqa: S603 - the system's own
                    [program, "-p"],
                    env={"LC_ALL": "C"},
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=_LDCONFIG_S,
                    check=True,
                )
            except (OSError, subprocess.SubprocessError):
                continue
            return parse_ldconfig(done.stdout.decode("utf-8", "replace"))
        return {}

    def _load(self) -> dict[str, _Found | None]:
        import msgpack  # noqa: PLC0415

        try:
            with open(self._memory, "rb") as file:  # noqa: PTH123
                data = file.read(_MAX_MEMORY_BYTES)
            loader_cache, items = msgpack.unpackb(data, use_list=False)
            if loader_cache != _stamp(self._loader_cache):
                return {}
            return {str(name): _decode_found(found) for name, found in items}
        except (OSError, ValueError, TypeError, msgpack.UnpackException):
            return {}  # it will be written anew

    def _save(self, known: Mapping[str, _Found | None]) -> None:
        import msgpack  # noqa: PLC0415

        data = msgpack.packb([_stamp(self._loader_cache), list(known.items())])
        memory = self._memory
        temporary = memory.with_name(f"{memory.name}.{os.urandom(6).hex()}")
        try:
            self._disk.create_file(temporary, data, 0o644)
            self._disk.rename(temporary, memory)
        except OSError:
            self._disk.unlink(temporary)  # a memory is a convenience


def parse_ldconfig(text: str) -> dict[str, list[str]]:
    """Return the paths by soname in what `ldconfig -p` prints.

    A line is `libz.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libz.so.1`; libraries
    for several machines are told apart by their files.
    """
    paths: dict[str, list[str]] = {}
    for line in text.splitlines():
        left, arrow, path = line.strip().partition(" => ")
        soname = left.partition(" ")[0]
        if arrow and path.startswith("/"):
            paths.setdefault(soname, []).append(path)
    return paths


def _read_musl_dirs(arch: str) -> tuple[str, ...]:
    """Return where musl's loader looks: what its path file says, else its defaults."""
    try:
        with open(f"/etc/ld-musl-{arch}.path") as file:  # noqa: PTH123
            text = file.read(1 << 16)
    except (OSError, ValueError):
        return MUSL_DIRS
    return tuple(part for part in text.replace("\n", ":").split(":") if part)


def _decode_found(found: Any) -> _Found | None:
    if found is None:
        return None
    path, (inode, size, changed), versions = found
    return str(path), (int(inode), int(size), int(changed)), tuple(map(str, versions))


def _stamp(path: str) -> _Stamp | None:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
