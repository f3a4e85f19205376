"""What a lock asks for, narrowed to the interpreters of one runner.

Pure: values only.  A lock comes out of a job's checkout: it says what to leave out of a
pull, and never what more to take.
"""

from enum import StrEnum
from typing import NamedTuple


class SourceKind(StrEnum):
    """Where a package comes from."""

    INDEX = "index"
    ANY_INDEX = "any-index"
    URL = "url"
    GIT = "git"


class Source(NamedTuple):
    """Where a package comes from, as the lock spells it.

    Attributes:
        kind: What the URL is of.
        url: Of the index, or of the file with `#subdirectory=` where there is one; of
            git `git+URL@COMMIT`; "" for ANY_INDEX, which says nothing of it.
        commit: Full hash of the commit; "" but for git.
    """

    kind: SourceKind
    url: str = ""
    commit: str = ""

    @classmethod
    def git(cls, url: str, commit: str, *, subdirectory: str = "") -> "Source":
        """Return the source for a commit of the repository at `url`."""
        fragment = f"#subdirectory={subdirectory}" if subdirectory else ""
        return cls(SourceKind.GIT, f"git+{url}@{commit}{fragment}", commit)


ANY_INDEX = Source(SourceKind.ANY_INDEX)


class FileKind(StrEnum):
    """Which file of a package is installed."""

    WHEEL = "wheel"
    SDIST = "sdist"
    ANY = "any"


class File(NamedTuple):
    """The file that is installed, or built.

    Attributes:
        kind: ANY where the lock leaves it open: then a wheel that fits is preferred.
        tags: Of a wheel, as in its name: `py3-none-any`; else "".
        hashes: `algorithm:hex` of it, or of the files that may be taken; none where the
            lock has none.
    """

    kind: FileKind
    tags: str = ""
    hashes: tuple[str, ...] = ()


class Need(NamedTuple):
    """One package as interpreters of this runner need it.

    Attributes:
        name: Normalised (PEP 503).
        version: As the lock has it; "" where it does not say.
        source: Where it comes from.
        file: Which of its files.
        pythons: Numbers of the interpreters that need just this.
        size_bytes: Of the file, where the lock has it.
    """

    name: str
    version: str
    source: Source
    file: File
    pythons: tuple[int, ...]
    size_bytes: int | None = None


class Omitted(NamedTuple):
    """A package of the lock that no pull can bring, and why.

    Attributes:
        is_elsewhere: Whether it is for other machines, interpreters, extras or groups.
    """

    name: str
    version: str
    reason: str
    is_elsewhere: bool = False


class Demand(NamedTuple):
    """All that locks ask for.

    Attributes:
        lockless: Of each project that has no lock, where it was looked for.
    """

    needs: tuple[Need, ...] = ()
    omitted: tuple[Omitted, ...] = ()
    lockless: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Names of all packages that are needed."""
        return frozenset(need.name for need in self.needs)


class Narrowing(NamedTuple):
    """Which parts of a project a job installs; None is all of them.

    Attributes:
        extras: Of the project and of the members of its workspace.
        groups: Dependency groups.
        packages: Members of the workspace.
    """

    extras: frozenset[str] | None = None
    groups: frozenset[str] | None = None
    packages: frozenset[str] | None = None


EVERYTHING = Narrowing()


class Gathering:
    """Puts together what each interpreter needs, the same only once."""

    def __init__(self) -> None:
        self._needs: dict[tuple[str, str, Source, File], list[int]] = {}
        self._sizes: dict[tuple[str, str, Source, File], int] = {}
        self._omitted: dict[tuple[str, str], Omitted] = {}
        self._lockless: list[str] = []

    def need(
        self,
        name: str,
        version: str,
        source: Source,
        file: File,
        python: int,
        *,
        size_bytes: int | None = None,
    ) -> None:
        """Note what one interpreter needs, and the size of the file if it is known."""
        key = (name, version, source, file)
        pythons = self._needs.setdefault(key, [])
        if python not in pythons:
            pythons.append(python)
        if size_bytes is not None:
            self._sizes.setdefault(key, size_bytes)

    def omit(
        self, name: str, version: str, reason: str, *, is_elsewhere: bool = False
    ) -> None:
        """Note why a package is left out; the first reason is kept."""
        omitted = Omitted(name, version, reason, is_elsewhere)
        self._omitted.setdefault((name, version), omitted)

    def lack_lock(self, where: str) -> None:
        """Note that a project has no lock."""
        self._lockless.append(where)

    def demand(self) -> Demand:
        """Return all of it; what one interpreter needs is not left out for another."""
        needs = tuple(
            Need(*key, pythons=tuple(pythons), size_bytes=self._sizes.get(key))
            for key, pythons in self._needs.items()
        )
        needed = {(need.name, need.version) for need in needs}
        omitted = tuple(o for key, o in self._omitted.items() if key not in needed)
        return Demand(needs, omitted, tuple(self._lockless))
