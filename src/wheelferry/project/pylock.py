"""What a `pylock.toml` asks for (PEP 751), read by `packaging.pylock`.  Pure."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from packaging.pylock import Package, Pylock, PylockValidationError

from wheelferry.project.conditions import Conditions
from wheelferry.project.interpreter import Interpreter, pick_best
from wheelferry.project.need import (
    EVERYTHING,
    File,
    FileKind,
    Gathering,
    Narrowing,
    Source,
    SourceKind,
)
from wheelferry.project.table import Malformed, Table
from wheelferry.project.uvlock import accepts_python, tags_of

_Found: TypeAlias = tuple[Source, File, int | None]
"""Where a package comes from, which file of it, and the size of that in bytes."""


def read_pylock(
    data: Table,
    pythons: Sequence[Interpreter],
    gathering: Gathering,
    narrowing: Narrowing = EVERYTHING,
) -> None:
    """Gather what a lock asks for on these interpreters.

    Raises Malformed: it is no lock that we can read.
    """
    try:
        lock = Pylock.from_dict(data)
    except PylockValidationError as exc:
        raise Malformed(str(exc)[:200]) from exc
    requires = str(lock.requires_python or "")
    chosen = {"extras": narrowing.extras, "dependency_groups": narrowing.groups}

    def is_active(variable: str, name: str) -> bool | None:
        names = chosen.get(variable)
        return None if names is None else name in names

    for number, python in enumerate(pythons):
        if not accepts_python(requires, python):
            continue
        conditions = Conditions(python.environment, is_active)
        for package in lock.packages:
            own = str(package.requires_python or "")
            if conditions.hold(str(package.marker or "")) and accepts_python(
                own, python
            ):
                _need(package, python, number, gathering)
    for package in lock.packages:
        gathering.omit(
            package.name,
            str(package.version or ""),
            "no marker that holds on this machine asks for it",
            is_elsewhere=True,
        )


def _need(
    package: Package, python: Interpreter, number: int, gathering: Gathering
) -> None:
    name, version = package.name, str(package.version or "")
    if package.directory is not None:
        gathering.omit(name, version, "it is a directory, which is not shared")
        return
    found = _direct(package) or _from_index(package, python)
    if found is None:
        reason = (
            f"the lock has no file of it that a store can have and that fits {python}"
        )
        gathering.omit(name, version, reason, is_elsewhere=True)
        return
    source, file, size_bytes = found
    gathering.need(name, version, source, file, number, size_bytes=size_bytes)


def _direct(package: Package) -> _Found | None:
    """Return what is installed of a package that no index has."""
    if (vcs := package.vcs) is not None:
        if vcs.type != "git" or not vcs.url:
            return None
        source = Source.git(vcs.url, vcs.commit_id, subdirectory=vcs.subdirectory or "")
        return source, File(FileKind.SDIST), None
    if (archive := package.archive) is None or not archive.url:
        return None
    tags = tags_of(archive.url)
    kind = FileKind.WHEEL if tags else FileKind.SDIST
    fragment = f"#subdirectory={archive.subdirectory}" if archive.subdirectory else ""
    return (
        Source(SourceKind.URL, archive.url + fragment),
        File(kind, tags, _spell(archive.hashes)),
        archive.size,
    )


def _from_index(package: Package, python: Interpreter) -> _Found | None:
    wheels = {tags_of(wheel.filename): wheel for wheel in package.wheels or ()}
    best = pick_best(python, wheels)
    if best is not None:
        wheel = wheels[best]
        return (
            _index(package.index, wheel.url),
            File(FileKind.WHEEL, best, _spell(wheel.hashes)),
            wheel.size,
        )
    if (sdist := package.sdist) is None:
        return None
    return (
        _index(package.index, sdist.url),
        File(FileKind.SDIST, hashes=_spell(sdist.hashes)),
        sdist.size,
    )


def _index(index: str | None, url: str | None) -> Source:
    """Return the index; where the lock leaves it out, as uv takes it from a file's URL."""
    where = index or (url or "").partition("#")[0].rpartition("/")[0]
    return Source(SourceKind.INDEX, where)


def _spell(hashes: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{name.lower()}:{value.lower()}" for name, value in hashes.items())
