"""What this machine has, for `judge`.

What a job has put into its environment counts for nothing: libraries are those that the
dynamic loader finds by its own configuration, not by LD_LIBRARY_PATH.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from wheelferry.disk import Disk
from wheelferry.native.judge import Machine
from wheelferry.native.libraries import InstalledLibraries
from wheelferry.native.needs import GLIBC, MUSL

OS_RELEASE: Final = ("/etc/os-release", "/usr/lib/os-release")

_NARROW: Final = {"x86_64": "i686", "aarch64": "armv7l"}
"""What a 32-bit interpreter is on these machines; uv goes by the interpreter too."""


def read_machine(memory: Path, disk: Disk) -> Machine:
    """Return what this machine has; libraries are looked up when they are asked for.

    `memory` is a file that remembers what was found; it may be missing or damaged.
    """
    arch = os.uname().machine
    if sys.maxsize < 1 << 32:
        arch = _NARROW.get(arch, arch)
    libc, version = _read_libc(arch)
    return Machine(
        arch=arch,
        libc=libc,
        libc_version=version,
        distribution=read_distribution(),
        libraries=InstalledLibraries(arch, libc, memory=memory, disk=disk),
    )


def read_distribution(paths: tuple[str, ...] = OS_RELEASE) -> str:
    """Return ID and VERSION_ID of os-release(5), `debian 12`; "" if there is no such file.

    A distribution without releases has no VERSION_ID: `arch`.
    """
    for path in paths:
        with suppress(OSError):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                text = os.read(fd, 1 << 16).decode("utf-8", "replace")
            finally:
                os.close(fd)
            return parse_distribution(text)
    return ""


def parse_distribution(text: str) -> str:
    """Return ID and VERSION_ID of the text of an os-release file."""
    found = {"ID": "linux", "VERSION_ID": ""}  # the default that os-release(5) gives
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name in found:
            found[name] = value.strip().strip("\"'")
    return " ".join(filter(None, found.values()))


def _read_libc(arch: str) -> tuple[str, tuple[int, int]]:
    """Return the C library of this interpreter, and its version."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):  # musl does not know that name
        name = version = ""
    if name == GLIBC:
        return GLIBC, _parse(version)
    return MUSL, _read_musl_version(f"/lib/ld-musl-{arch}.so.1")


def _read_musl_version(loader: str) -> tuple[int, int]:
    """Return the version that musl's loader prints if it is run by itself."""
    import subprocess  # noqa: PLC0415 - not on machines with glibc

    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603 - the system's own
            [loader],
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=5,
            check=False,
        )
        for line in done.stderr.decode("utf-8", "replace").splitlines():
            name, _, version = line.partition(" ")
            if name == "Version":
                return _parse(version)
    return 0, 0


def _parse(version: str) -> tuple[int, int]:
    numbers = [int(part) for part in version.split(".")[:2] if part.isdecimal()]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (0, 0)
