"""What a `requirements.txt` asks for: its pinned lines.

The format is pip's ("Requirements File Format" in its documentation), the requirement in
a line that of PEP 508, read by `packaging`.  A line that pins nothing is named and left.
No variable is put in place of `${NAME}`: the values are the job's.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from wheelferry.errors import ProjectError
from wheelferry.project.conditions import Conditions
from wheelferry.project.interpreter import Interpreter
from wheelferry.project.need import (
    ANY_INDEX,
    File,
    FileKind,
    Gathering,
    Source,
    SourceKind,
)
from wheelferry.project.uvlock import tags_of

MAX_FILES: Final = 64
"""So many files may name each other, each read once."""

Read = Callable[[str], str]

_COMMENT = re.compile(r"(^|\s+)#.*$")
_CONTINUED = re.compile(r"\\\r?\n")
_HASH = re.compile(r"\s--hash[=\s]\s*([A-Za-z0-9]+):([0-9A-Fa-f]+)")
_OPTION = re.compile(r"(--?[A-Za-z][A-Za-z-]*)(?:[=\s]\s*|(?<=^-\w))(.*)")
_NESTED = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c"}
_INDEXES = frozenset({"-i", "--index-url", "--extra-index-url"})
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_HASH_FRAGMENT = re.compile(
    r"(?:^|&)(md5|sha1|sha224|sha256|sha384|sha512)=([0-9a-f]+)"
)


class _Line(NamedTuple):
    """A requirement, and where it is written."""

    text: str
    hashes: tuple[str, ...]
    where: str


class _Pin(NamedTuple):
    """A requirement that can be told."""

    name: str
    version: str
    marker: str
    source: Source
    file: File


class RequirementFiles:
    """Requirements files and what they name, read but not yet narrowed.

    Args:
        read: Returns the text of a file.  Raises ProjectError.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._seen: set[tuple[str, str]] = set()
        self._lines: list[_Line] = []
        self._constraints: list[_Line] = []
        self._indexes: list[str] = []

    def add(self, path: str, *, is_constraint: bool = False) -> None:
        """Read a file, and those that it names.

        Raises ProjectError: one cannot be read, or they are too many.
        """
        key = (path, "-c" if is_constraint else "-r")
        if key in self._seen:
            return
        if len(self._seen) >= MAX_FILES:
            raise ProjectError(f"more than {MAX_FILES} requirements files, at {path}")
        self._seen.add(key)
        into = self._constraints if is_constraint else self._lines
        for number, line in _logical_lines(self._read(path)):
            if not line.startswith("-"):
                hashes = tuple(
                    f"{name.lower()}:{value.lower()}"
                    for name, value in _HASH.findall(line)
                )
                text = line.partition(" --")[0].strip()
                into.append(_Line(text, hashes, f"line {number} of {path}"))
                continue
            self._add_option(path, line, is_constraint=is_constraint)

    def _add_option(self, path: str, line: str, *, is_constraint: bool) -> None:
        match = _OPTION.fullmatch(line)
        if match is None:
            return
        option, value = match[1], match[2].strip().strip("\"'")
        if option in _NESTED:
            folder = "" if value.startswith("/") else path.rpartition("/")[0] + "/"
            nested = folder + value
            self.add(nested, is_constraint=is_constraint or _NESTED[option] == "-c")
        elif option in _INDEXES:
            self._indexes.append(value)
        elif option in ("-e", "--editable"):
            self._lines.append(_Line(value, (), f"an editable line of {path}"))

    def gather(self, pythons: Sequence[Interpreter], gathering: Gathering) -> None:
        """Gather what the files ask for on these interpreters."""
        sources = [Source(SourceKind.INDEX, url) for url in self._indexes]
        pins: list[_Pin] = []
        constraints = _versions(self._constraints)
        for line in self._lines:
            pin = _pin(line, constraints, gathering)
            if pin is not None and pin.source is ANY_INDEX and sources:
                pins += [pin._replace(source=source) for source in sources]
            elif pin is not None:
                pins.append(pin)
        for number, python in enumerate(pythons):
            conditions = Conditions(python.environment)
            for pin in pins:
                if not conditions.hold(pin.marker):
                    continue
                if pin.file.tags and python.rank(pin.file.tags) is None:
                    reason = f"its wheel ({pin.file.tags}) does not fit {python}"
                    gathering.omit(pin.name, pin.version, reason, is_elsewhere=True)
                    continue
                gathering.need(pin.name, pin.version, pin.source, pin.file, number)
        for pin in pins:
            gathering.omit(
                pin.name,
                pin.version,
                f"its marker holds for no interpreter here: {pin.marker[:100]}",
                is_elsewhere=True,
            )


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines without comments and line breaks, with their numbers."""
    number = 1
    for block in re.split(r"(?<!\\)\n", text.replace("\r\n", "\n")):
        # A comment ends with its own line, so it goes before lines are joined.
        joined = "".join(
            _COMMENT.sub("", part).removesuffix("\\") for part in block.split("\n")
        )
        if joined.strip():
            yield number, joined.strip()
        number += block.count("\n") + 1


def _versions(lines: Iterable[_Line]) -> dict[str, _Line]:
    """Return the constraints that pin a version, by name."""
    found: dict[str, _Line] = {}
    for line in lines:
        requirement = _parse(line.text)
        if requirement is not None and _pinned_version(requirement):
            found[canonicalize_name(requirement.name)] = line
    return found


def _parse(text: str) -> Requirement | None:
    try:
        return Requirement(text)
    except (InvalidRequirement, RecursionError):
        return None


def _pinned_version(requirement: Requirement) -> str:
    """Return the version that `==` or `===` pins; "" if nothing does."""
    pins = {s.version for s in requirement.specifier if s.operator in ("==", "===")}
    if len(pins) != 1 or len(requirement.specifier) != 1:
        return ""
    (version,) = pins
    return "" if "*" in version else version


def _pin(
    line: _Line, constraints: dict[str, _Line], gathering: Gathering
) -> _Pin | None:
    """Return what a line pins; say why, if it pins nothing."""
    requirement = _parse(line.text) or _parse(_named(line.text))
    if requirement is None:
        # Not its text: the file may be any that the job points at.
        gathering.omit(line.where, "", "it names no package that a store can have")
        return None
    name = canonicalize_name(requirement.name)
    marker = str(requirement.marker or "")
    if requirement.url:
        return _direct(name, requirement.url, marker, line, gathering)
    version, hashes = _pinned_version(requirement), line.hashes
    if not version and (constraint := constraints.get(name)):
        pinned = _parse(constraint.text)
        version = _pinned_version(pinned) if pinned else ""
        hashes = hashes or constraint.hashes
    if not version:
        gathering.omit(name, "", f"{line.where} pins no version (name==version)")
        return None
    file = File(FileKind.ANY, hashes=hashes)
    return _Pin(name, version, marker, ANY_INDEX, file)


def _named(text: str) -> str:
    """Return a bare URL as a requirement with the name that its file has."""
    url, _, marker = text.partition(" ;")
    plain, _, fragment = url.partition("#")
    if egg := re.search(r"(?:^|&)egg=([A-Za-z0-9._-]+)", fragment):
        name = egg[1]
    else:
        last = urlsplit(plain).path.rpartition("/")[2]
        try:
            if last.endswith(".whl"):
                name = parse_wheel_filename(last)[0]
            else:
                name = parse_sdist_filename(last)[0]
        except (InvalidWheelFilename, InvalidSdistFilename):
            return ""
    return f"{name} @ {url} ;{marker}" if marker else f"{name} @ {url}"


def _direct(
    name: str, url: str, marker: str, line: _Line, gathering: Gathering
) -> _Pin | None:
    plain, _, fragment = url.partition("#")
    found = re.search(r"(?:^|&)subdirectory=([^&]+)", fragment)
    subdirectory = found[1] if found else ""
    if plain.startswith("git+"):
        repository, _, commit = plain.removeprefix("git+").rpartition("@")
        if not _COMMIT.fullmatch(commit):
            gathering.omit(name, "", f"{line.where} names no full commit (URL@COMMIT)")
            return None
        source = Source.git(repository, commit, subdirectory=subdirectory)
        return _Pin(name, "", marker, source, File(FileKind.SDIST))
    if not plain.startswith(("https://", "http://")):
        gathering.omit(name, "", "it is local, or of a kind that is not shared")
        return None
    tags = tags_of(plain)
    hashes = line.hashes + tuple(
        f"{algorithm}:{value}" for algorithm, value in _HASH_FRAGMENT.findall(fragment)
    )
    kept = f"{plain}#subdirectory={subdirectory}" if subdirectory else url
    kind = FileKind.WHEEL if tags else FileKind.SDIST
    source = Source(SourceKind.URL, kept)
    return _Pin(name, "", marker, source, File(kind, tags, hashes))
