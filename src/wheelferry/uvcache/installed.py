"""Which versions of uv a machine has."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from wheelferry.disk import Disk
from wheelferry.disk.programs import ask_programs, unique_programs
from wheelferry.uvcache.formats import Release, parse_release


class Installed(NamedTuple):
    """What was found: versions, ascending, and binaries that did not tell theirs."""

    releases: tuple[Release, ...]
    failed: tuple[str, ...]


def find_binaries(directories: Iterable[Path]) -> tuple[Path, ...]:
    """Return the uv binaries in these directories, each once, as they are named there."""
    return unique_programs(directory / "uv" for directory in directories)


def read_versions(
    binaries: Sequence[Path],
    *,
    memory: Path,
    disk: Disk,
    now_s: float,
    ask: Callable[[Path], str] | None = None,
) -> Installed:
    """Return the versions of uv binaries, asking each only once in a while.

    The other arguments are those of `ask_programs`.
    """
    answers = ask_programs(
        binaries, ["--version"], memory=memory, disk=disk, now_s=now_s, ask=ask
    )
    releases: set[Release] = set()
    failed: list[str] = []
    for binary, answer in answers.items():
        try:
            if answer.failure:
                failed.append(f"{binary}: {answer.failure}")
            else:
                releases.add(parse_version_line(answer.text))
        except ValueError as exc:
            failed.append(f"{binary}: {exc}")
    return Installed(releases=tuple(sorted(releases)), failed=tuple(failed))


def parse_version_line(line: str) -> Release:
    """Return the version in `uv 0.13.9 (...)`; raises ValueError if there is none."""
    name, _, rest = line.strip().partition(" ")
    if name != "uv":
        raise ValueError(f"`uv --version` printed {line.strip()[:60]!r}")
    return parse_release(rest)
