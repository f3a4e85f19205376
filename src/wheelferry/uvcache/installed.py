"""Which versions of uv a machine has.

A `uv` may be a shim that goes by the name it is run under (`uv -> mise`), or a script
that runs another one: so each is run under its own path, and no answer is believed for
ever.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import msgpack

from wheelferry.disk import Disk
from wheelferry.uvcache.formats import Release, parse_release

TIMEOUT_S: Final = 5.0

ANSWER_S: Final = 24 * 3600
"""How long an answer is believed: a script's stays its own when its uv is another."""

FAILURE_S: Final = 3600
"""How long one that fails, or hangs, is not asked again."""

_MAX_TEXT: Final = 200
_Identity: TypeAlias = tuple[str, int, int, int]


class Installed(NamedTuple):
    """What was found: versions, ascending, and binaries that did not tell theirs."""

    releases: tuple[Release, ...]
    failed: tuple[str, ...]


class _Answer(NamedTuple):
    """What a binary printed, or why it printed nothing; one of the two is ""."""

    asked_s: int
    line: str
    failure: str

    def is_fresh(self, now_s: float) -> bool:
        return 0 <= now_s - self.asked_s < (FAILURE_S if self.failure else ANSWER_S)


def find_binaries(directories: Iterable[Path]) -> tuple[Path, ...]:
    """Return the uv binaries in these directories, each once, as they are named there."""
    found: dict[tuple[int, int], Path] = {}
    for directory in directories:
        path = directory / "uv"
        if os.access(path, os.X_OK) and path.is_file():
            status = path.stat()
            found.setdefault((status.st_dev, status.st_ino), path)
    return tuple(found.values())


def read_versions(
    binaries: Sequence[Path],
    *,
    memory: Path,
    disk: Disk,
    now_s: float,
    ask: Callable[[Path], str] | None = None,
) -> Installed:
    """Return the versions of uv binaries, asking each only once in a while.

    `memory` is a file that remembers the answers by path, inode, size and time of
    modification; it may be missing or damaged.  `ask` returns what `uv --version`
    prints, and raises OSError if it cannot.
    """
    known = {
        identity: answer
        for identity, answer in _load(memory).items()
        if answer.is_fresh(now_s)
    }
    answers: dict[_Identity, _Answer] = {}
    failed: list[str] = []
    for binary in binaries:
        try:
            identity = _identify(binary)
        except OSError as exc:
            failed.append(f"{binary}: {exc}")
            continue
        answers[identity] = known.get(identity) or _answer(
            ask or ask_version, binary, now_s
        )
    if answers.keys() - known.keys():
        _save(memory, answers, disk)
    releases = set()
    for identity, answer in answers.items():
        try:
            if answer.failure:
                failed.append(f"{identity[0]}: {answer.failure}")
            else:
                releases.add(parse_version_line(answer.line))
        except ValueError as exc:
            failed.append(f"{identity[0]}: {exc}")
    return Installed(releases=tuple(sorted(releases)), failed=tuple(failed))


def parse_version_line(line: str) -> Release:
    """Return the version in `uv 0.13.9 (...)`; raises ValueError if there is none."""
    name, _, rest = line.strip().partition(" ")
    if name != "uv":
        raise ValueError(f"`uv --version` printed {line.strip()[:60]!r}")
    return parse_release(rest)


def _answer(ask: Callable[[Path], str], binary: Path, now_s: float) -> _Answer:
    line = failure = ""
    try:
        line = ask(binary)[:_MAX_TEXT]
    except OSError as exc:
        failure = str(exc)[:_MAX_TEXT] or "it failed"
    return _Answer(int(now_s), line, failure)


def ask_version(binary: Path) -> str:
    """Return what `uv --version` prints; raises OSError if it cannot."""
    return run_uv(binary, "--version")


def run_uv(
    binary: Path,
    *argv: str,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> str:
    """Run a uv that answers at once, and return what it prints.

    Args:
        binary: Any program of that name: it may hang, and its children too.
        argv: What it is asked.
        environ: Its environment, if not that of this process.
        directory: Where it runs, if not where this process does.

    Raises:
        OSError: It cannot be run, fails, or takes longer than TIMEOUT_S.
    """
    import signal  # noqa: PLC0415
    import subprocess  # noqa: PLC0415 - only for a uv that is new here

    asked = f"`{' '.join(argv)}`"
    with subprocess.Popen(  # noqa: S603 - a `uv` in a directory that was configured
        [binary, *argv],
        env=environ,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # so that its children can be killed with it
    ) as process:
        try:
            printed, said = process.communicate(timeout=TIMEOUT_S)
        except BaseException as exc:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(exc, subprocess.TimeoutExpired):
                text = f"{asked} took more than {TIMEOUT_S:.0f} s"
                raise OSError(text) from exc
            raise
    if process.returncode:
        why = f": {' '.join(said.split())}" if said.strip() else ""
        raise OSError(f"{asked} failed with exit code {process.returncode}{why}")
    return printed


def _identify(binary: Path) -> _Identity:
    status = binary.stat()
    return str(binary), status.st_ino, status.st_size, status.st_mtime_ns


def _load(memory: Path) -> dict[_Identity, _Answer]:
    try:
        items = msgpack.unpackb(memory.read_bytes(), use_list=False)
        return {
            identity: _Answer(int(asked_s), str(line), str(failure))
            for identity, asked_s, line, failure in items
        }
    except (OSError, ValueError, TypeError, msgpack.UnpackException):
        return {}  # it will be written anew


def _save(memory: Path, answers: Mapping[_Identity, _Answer], disk: Disk) -> None:
    data = msgpack.packb([(identity, *answer) for identity, answer in answers.items()])
    temporary = memory.with_name(f"{memory.name}.{os.urandom(6).hex()}")
    try:
        disk.make_dirs(memory.parent, 0o700)
        disk.create_file(temporary, data)
        disk.rename(temporary, memory)
    except OSError:
        disk.unlink(temporary)  # a memory is a convenience
