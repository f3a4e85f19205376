"""What uv's own lock asks for: `uv.lock`, and `<script>.lock` of a script (PEP 723).  Pure.

Version 1, any revision: uv raises the version for what older ones cannot read, and the
revision for what they may ignore (uv's documentation, "Lockfile versioning").  How
`uv sync` walks it is told by uv's `lock/installable.rs`: from the members of the
workspace, their extras and groups along the edges whose markers hold.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from wheelferry.project.builds import AS_NEEDED, Builds
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
from wheelferry.project.table import (
    Malformed,
    Table,
    size,
    subtable,
    tables,
    text,
    texts,
)

VERSION: Final = 1

_LOCAL: Final = {
    "path": "it is a local file, which is not shared",
    "directory": "it is a local directory, which is not shared",
}
_ELSEWHERE: Final = (
    "no marker, extra or group that counts here asks for it on this machine"
)


class _Edge(NamedTuple):
    """A dependency of a package."""

    name: str
    version: str
    source: Table
    extras: tuple[str, ...]
    marker: str


class _Wheel(NamedTuple):
    """A wheel of a package."""

    hashes: tuple[str, ...]
    size_bytes: int | None


class _Package:
    """One package of the lock."""

    def __init__(self, table: Table) -> None:
        self.name = canonicalize_name(text(table, "name"))
        self.version = text(table, "version")
        self.source = subtable(table, "source")
        self.forks = texts(table, "resolution-markers")
        self.edges = _edges(table, "dependencies")
        self.extras = _edge_groups(table, ("optional-dependencies",))
        self.groups = _edge_groups(table, ("dev-dependencies", "dependency-groups"))
        self._wheels = tables(table, "wheels")
        self._sdist = subtable(table, "sdist") if "sdist" in table else None

    def wheels(self) -> dict[str, _Wheel]:
        """Return its wheels by their tags."""
        found: dict[str, _Wheel] = {}
        for wheel in self._wheels:
            where = (text(wheel, key) for key in ("filename", "url", "path"))
            tags = tags_of(next(filter(None, where), ""))
            if tags:
                found[tags] = _Wheel(_hashes(wheel), size(wheel, "size"))
        return found

    def sdist(self) -> File | None:
        """Return what it is built from, if it can be."""
        if self._sdist is not None:
            return File(FileKind.SDIST, hashes=_hashes(self._sdist))
        return File(FileKind.SDIST) if "git" in self.source else None

    @property
    def sdist_bytes(self) -> int | None:
        """The size of what it is built from, if the lock has it."""
        return None if self._sdist is None else size(self._sdist, "size")

    def local_reason(self) -> str | None:
        """Return why it is shared by no store, if it is not."""
        for kind, reason in _LOCAL.items():
            if kind in self.source:
                return reason
        return None

    @property
    def is_own(self) -> bool:
        """Whether it is the project itself, or a member of its workspace."""
        return "editable" in self.source or "virtual" in self.source

    @property
    def is_root(self) -> bool:
        """Whether it is the project in the directory of the lock."""
        return "." in (self.source.get("editable"), self.source.get("virtual"))


class _Lock:
    """The lock, checked."""

    def __init__(self, data: Table) -> None:
        version = data.get("version")
        if version is None:
            raise Malformed("it has no `version`, as each lock of uv has")
        if version != VERSION or isinstance(version, bool):
            raise Malformed(
                f"it has version {version!r}, and only version {VERSION} is known"
            )
        self.requires_python = text(data, "requires-python")
        named = "package" if "package" in data else "distribution"
        self.packages = [_Package(table) for table in tables(data, named)]
        self.by_name: dict[str, list[_Package]] = {}
        for package in self.packages:
            self.by_name.setdefault(package.name, []).append(package)
        manifest = subtable(data, "manifest")
        self.members = {canonicalize_name(name) for name in texts(manifest, "members")}
        self.requirements = _edges(manifest, "requirements")
        self.groups = _edge_groups(manifest, ("dependency-groups",))
        self.has_conflicts = bool(data.get("conflicts"))

    def roots(self, narrowing: Narrowing) -> list[_Package]:
        """Return the members of the workspace that are installed."""
        found = [
            package
            for package in self.packages
            if package.name in self.members or (not self.members and package.is_root)
        ]
        if narrowing.packages is None:
            return found
        return [package for package in found if package.name in narrowing.packages]

    def resolve(self, edge: _Edge, conditions: Conditions) -> Iterator[_Package]:
        """Yield the packages that an edge may lead to; as a rule one."""
        for package in self.by_name.get(edge.name, ()):
            if edge.version and package.version != edge.version:
                continue
            if edge.source and package.source != edge.source:
                continue
            is_named = bool(edge.version or edge.source)
            if (
                is_named
                or not package.forks
                or any(map(conditions.hold, package.forks))
            ):
                yield package


def read_uv_lock(
    data: Table,
    pythons: Sequence[Interpreter],
    gathering: Gathering,
    narrowing: Narrowing = EVERYTHING,
    builds: Builds = AS_NEEDED,
) -> None:
    """Gather what a lock asks for on these interpreters.

    `builds` are the packages whose wheels uv leaves alone.

    Raises Malformed: it is no lock that we can read.
    """
    lock = _Lock(data)
    met: set[int] = set()
    for number, python in enumerate(pythons):
        if not accepts_python(lock.requires_python, python):
            continue
        for package in _Walk(lock, python, narrowing).run():
            met.add(id(package))
            wheels = {} if builds.has(package.name) else package.wheels()
            _need(package, wheels, python, number, gathering)
    reason = _ELSEWHERE
    if not any(accepts_python(lock.requires_python, python) for python in pythons):
        wanted = lock.requires_python or "of any version"
        reason = f"the lock is for Python {wanted}, and here is none"
    for package in lock.packages:
        if id(package) not in met and not package.is_own:
            gathering.omit(package.name, package.version, reason, is_elsewhere=True)


def required_python(data: Table) -> str:
    """Return the versions of Python that a lock is for; "" if it does not say."""
    return text(data, "requires-python")


def accepts_python(specifier: str, python: Interpreter) -> bool:
    """Return whether an interpreter is among those that a lock is for."""
    try:
        return SpecifierSet(specifier).contains(python.version, prereleases=True)
    except InvalidSpecifier as exc:
        raise Malformed(f"requires-python is {specifier[:60]!r}") from exc


def tags_of(filename: str) -> str:
    """Return the tags in the name of a wheel, or at the end of its URL; "" if none."""
    last = unquote(urlsplit(filename).path.rpartition("/")[2])
    parts = last.removesuffix(".whl").split("-", 2)
    return parts[2] if last.endswith(".whl") and len(parts) == 3 else ""


def _need(
    package: _Package,
    wheels: Mapping[str, _Wheel],
    python: Interpreter,
    number: int,
    gathering: Gathering,
) -> None:
    """Note what an interpreter needs of a package: the file that uv would choose."""
    if package.is_own:
        return
    if reason := package.local_reason():
        gathering.omit(package.name, package.version, reason)
        return
    source = _source(package.source)
    best = pick_best(python, wheels)
    if best is not None:
        file = File(FileKind.WHEEL, best, wheels[best].hashes)
        size_bytes = wheels[best].size_bytes
    elif sdist := package.sdist():
        file, size_bytes = sdist, package.sdist_bytes
    else:
        reason = f"the lock has no wheel of it that fits {python}, and no sdist"
        gathering.omit(package.name, package.version, reason, is_elsewhere=True)
        return
    gathering.need(
        package.name, package.version, source, file, number, size_bytes=size_bytes
    )


class _Walk:
    """What one interpreter reaches.

    Extras and groups that exclude each other are told apart by markers.  Those that a
    job asks for are known if it is narrowed to them; an extra that a dependency brings
    along may be active or not.
    """

    def __init__(self, lock: _Lock, python: Interpreter, narrowing: Narrowing) -> None:
        self._lock = lock
        self._python = python
        self._narrowing = narrowing
        self._roots = lock.roots(narrowing)
        self._brought: set[str] = set()

    def run(self) -> list[_Package]:
        """Return the packages that are reached, each once."""
        found = self._reach(Conditions(self._python.environment))
        if not self._lock.has_conflicts or self._narrowing == EVERYTHING:
            return found
        return self._reach(Conditions(self._python.environment, self._chosen()))

    def _reach(self, conditions: Conditions) -> list[_Package]:
        queue = deque(self._start(conditions))
        seen = {(id(package), extra) for package, extra in queue}
        found: dict[int, _Package] = {}
        while queue:
            package, extra = queue.popleft()
            found[id(package)] = package
            edges = package.edges if extra is None else package.extras.get(extra, ())
            for step in self._follow(edges, conditions):
                if (id(step[0]), step[1]) not in seen:
                    seen.add((id(step[0]), step[1]))
                    queue.append(step)
        return list(found.values())

    def _start(self, conditions: Conditions) -> Iterator[tuple[_Package, str | None]]:
        extras, groups = self._narrowing.extras, self._narrowing.groups
        for root in self._roots:
            yield root, None
            for extra in root.extras:
                if extras is None or extra in extras:
                    yield root, extra
            for group, edges in root.groups.items():
                if groups is None or group in groups:
                    yield from self._follow(edges, conditions)
        yield from self._follow(self._lock.requirements, conditions)
        for group, edges in self._lock.groups.items():
            if groups is None or group in groups:
                yield from self._follow(edges, conditions)

    def _follow(
        self, edges: Iterable[_Edge], conditions: Conditions
    ) -> Iterator[tuple[_Package, str | None]]:
        for edge in edges:
            if not conditions.hold(edge.marker):
                continue
            for package in self._lock.resolve(edge, conditions):
                yield package, None
                for extra in edge.extras:
                    self._brought.add(_encode("extra", package.name, extra))
                    yield package, extra

    def _chosen(self) -> Callable[[str, str], bool | None]:
        """Return what is known of the extras and groups that exclude each other."""
        asked: dict[str, bool | None] = dict.fromkeys(self._brought)
        for root in self._roots:
            asked[_encode("project", root.name)] = True
            for kind, names, narrowed in (
                ("extra", root.extras, self._narrowing.extras),
                ("group", root.groups, self._narrowing.groups),
            ):
                for name in names:
                    key = _encode(kind, root.name, name)
                    if narrowed is None:
                        asked[key] = None
                    elif name in narrowed:
                        asked[key] = True
        return lambda _, name: asked.get(name, False)


def _encode(kind: str, package: str, *name: str) -> str:
    """Return how uv's markers spell an extra or a group of a package."""
    return "-".join((kind, str(len(package)), package, *name))


def _edges(table: Table, key: str) -> tuple[_Edge, ...]:
    return tuple(_edge(item) for item in tables(table, key))


def _edge(table: Table) -> _Edge:
    # Edges say `extra`, requirements of the manifest `extras`.
    extras = (*texts(table, "extra"), *texts(table, "extras"))
    return _Edge(
        name=canonicalize_name(text(table, "name")),
        version=text(table, "version"),
        source=subtable(table, "source"),
        extras=tuple(map(canonicalize_name, extras)),
        marker=text(table, "marker"),
    )


def _edge_groups(table: Table, keys: Sequence[str]) -> dict[str, tuple[_Edge, ...]]:
    return {
        canonicalize_name(name): _edges(groups, name)
        for key in keys
        for groups in [subtable(table, key)]
        for name in groups
    }


def _source(table: Table) -> Source:
    if registry := text(table, "registry"):
        return Source(SourceKind.INDEX, registry)
    if url := text(table, "url"):
        subdirectory = text(table, "subdirectory")
        fragment = f"#subdirectory={subdirectory}" if subdirectory else ""
        return Source(SourceKind.URL, url + fragment)
    if git := text(table, "git"):
        return _git_source(git)
    raise Malformed(f"a source is {dict(table)!r:.80}")


def _git_source(url: str) -> Source:
    """Return the source for `URL?rev=...&subdirectory=...#COMMIT`."""
    plain, _, commit = url.partition("#")
    plain, _, query = plain.partition("?")
    subdirectory = parse_qs(query).get("subdirectory", [""])[0]
    return Source.git(plain, commit, subdirectory=subdirectory)


def _hashes(table: Table) -> tuple[str, ...]:
    value = text(table, "hash")
    return (value.lower(),) if value else ()
