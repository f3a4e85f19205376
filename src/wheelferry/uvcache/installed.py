"""Which versions of uv a machine has."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import msgpack

from wheelferry.disk import Disk
from wheelferry.uvcache.formats import Release, parse_release

TIMEOUT_S: Final = 10
_Identity: TypeAlias = tuple[str, int, int, int]


class Installed(NamedTuple):
    """What was found: versions, ascending, and binaries that did not tell theirs."""

    releases: tuple[Release, ...]
    failed: tuple[str, ...]


def find_binaries(directories: Iterable[Path]) -> tuple[Path, ...]:
    """Return the uv binaries in these directories, resolved, each once."""
    found: dict[Path, None] = {}
    for directory in directories:
        path = directory / "uv"
        if os.access(path, os.X_OK) and path.is_file():
            found[path.resolve()] = None
    return tuple(found)


def read_versions(
    binaries: Sequence[Path],
    *,
    memory: Path,
    disk: Disk,
    ask: Callable[[Path], str] | None = None,
) -> Installed:
    """Return the versions of uv binaries, asking each only once.

    `memory` is a file that remembers the answers by path, inode, size and time of
    modification; it may be missing or damaged.  `ask` returns what `uv --version`
    prints, and raises OSError if it cannot.
    """
    known = _load(memory)
    answers: dict[_Identity, str] = {}
    failed: list[str] = []
    for binary in binaries:
        try:
            identity = _identify(binary)
            answer = known.get(identity)
            if answer is None:
                answer = (ask or _ask)(binary)
        except OSError as exc:
            failed.append(f"{binary}: {exc}")
            continue
        answers[identity] = answer
    if answers.keys() - known.keys():
        _save(memory, answers, disk)
    releases = set()
    for identity, answer in answers.items():
        try:
            releases.add(parse_version_line(answer))
        except ValueError as exc:
            failed.append(f"{identity[0]}: {exc}")
    return Installed(releases=tuple(sorted(releases)), failed=tuple(failed))


def parse_version_line(line: str) -> Release:
    """Return the version in `uv 0.13.9 (...)`; raises ValueError if there is none."""
    name, _, rest = line.strip().partition(" ")
    if name != "uv":
        raise ValueError(f"`uv --version` printed {line.strip()[:60]!r}")
    return parse_release(rest)


def _ask(binary: Path) -> str:
    import subprocess  # noqa: PLC0415 - only for a uv that is new here

    try:
        done = subprocess.run(  # noqa: S603 - an absolute path from the configuration
            [binary, "--version"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.SubprocessError as exc:
        raise OSError(str(exc)) from exc
    return done.stdout


def _identify(binary: Path) -> _Identity:
    status = binary.stat()
    return str(binary), status.st_ino, status.st_size, status.st_mtime_ns


def _load(memory: Path) -> dict[_Identity, str]:
    try:
        items = msgpack.unpackb(memory.read_bytes(), use_list=False)
        return {tuple(identity): str(answer) for identity, answer in items}
    except (OSError, ValueError, TypeError, msgpack.UnpackException):
        return {}  # it will be written anew


def _save(memory: Path, answers: dict[_Identity, str], disk: Disk) -> None:
    data = msgpack.packb([(list(key), answer) for key, answer in answers.items()])
    temporary = memory.with_name(f"{memory.name}.{os.urandom(6).hex()}")
    try:
        disk.make_dirs(memory.parent, 0o700)
        disk.create_file(temporary, data)
        disk.rename(temporary, memory)
    except OSError:
        disk.unlink(temporary)  # a memory is a convenience
