"""Which packages of uv's lock an interpreter needs, and which file of each."""

import tomllib
from typing import Any

import pytest

from wheelferry.project.builds import AS_NEEDED, Builds, find_builds
from wheelferry.project.interpreter import Interpreter
from wheelferry.project.need import (
    Demand,
    File,
    FileKind,
    Gathering,
    Narrowing,
    Source,
    SourceKind,
)
from wheelferry.project.table import Malformed
from wheelferry.project.uvlock import read_uv_lock

INDEX = "https://pypi.org/simple"


def make_python(version: str = "3.11.2", *tags: str) -> Interpreter:
    """Return a CPython on Linux that can use wheels with these tags, the best first."""
    environment = {
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "python_full_version": version,
        "python_version": version.rpartition(".")[0],
        "sys_platform": "linux",
    }
    known = (*tags, "py3-none-any")
    return Interpreter(environment, {tag: rank for rank, tag in enumerate(known)})


def package(name: str, *more: str, version: str = "1.0", source: str = "") -> str:
    """Return a package with a pure wheel."""
    where = source or f'{{ registry = "{INDEX}" }}'
    head = f'[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {where}\n'
    wheel = (
        f'{{ url = "https://files/{name}-{version}-py3-none-any.whl",'
        f' hash = "sha256:{name}{version}" }}'
    )
    rest = "\n".join(more)
    return head + rest + ("" if "wheels =" in rest else f"\nwheels = [{wheel}]") + "\n"


def root(*more: str) -> str:
    """Return the project itself."""
    head = '[[package]]\nname = "app"\nversion = "0"\nsource = { virtual = "." }\n'
    return head + "\n".join(more) + "\n"


def read(
    *parts: str,
    pythons: tuple[Interpreter, ...] = (make_python(),),
    head: str = "version = 1",
    builds: Builds = AS_NEEDED,
    **narrowing: frozenset[str],
) -> Demand:
    """Read a lock that is put together of these parts."""
    gathering = Gathering()
    data = tomllib.loads("\n".join((head, *parts)))
    read_uv_lock(data, pythons, gathering, Narrowing(**narrowing), builds)
    return gathering.demand()


def names(demand: Demand) -> set[str]:
    """Return what is needed."""
    return {f"{need.name} {need.version}" for need in demand.needs}


def reasons(demand: Demand) -> dict[str, str]:
    """Return why packages are left out."""
    return {omitted.name: omitted.reason for omitted in demand.omitted}


def test_edges_are_followed_where_their_markers_hold() -> None:
    """What no edge leads to on this machine is named, and not needed."""
    demand = read(
        root('dependencies = [{ name = "a" }]'),
        package(
            "a",
            "dependencies = [{ name = 'b' },"
            " { name = 'c', marker = \"sys_platform == 'win32'\" },"
            " { name = 'd', marker = \"python_full_version < '3.12'\" }]",
        ),
        *map(package, "bcd"),
        package("lonely"),
    )
    assert names(demand) == {"a 1.0", "b 1.0", "d 1.0"}
    assert reasons(demand).keys() == {"c", "lonely"}
    assert all(omitted.is_elsewhere for omitted in demand.omitted)


@pytest.mark.parametrize(
    ("settings", "built"),
    [
        ("no-binary-package = ['A', 'gone']", {"a"}),
        ("no-binary = true", {"a", "b"}),
        ("no-binary = false", set()),
        ("", set()),
    ],
)
def test_wheels_of_what_uv_builds_in_any_case_are_left(
    settings: str, built: set[str]
) -> None:
    """`no-binary`: the wheel that fits is not what the job installs."""
    sdist = 'sdist = { url = "https://files/x.tar.gz", hash = "sha256:1" }'
    demand = read(
        root('dependencies = [{ name = "a" }, { name = "b" }]'),
        package("a", sdist),
        package("b", sdist),
        builds=find_builds(tomllib.loads(settings)),
    )
    kinds = {need.name: need.file.kind for need in demand.needs}
    assert {name for name, kind in kinds.items() if kind is FileKind.SDIST} == built
    assert kinds.keys() == {"a", "b"}


@pytest.mark.parametrize("settings", ["no-binary = 'all'", "no-binary-package = 'a'"])
def test_settings_that_uv_would_refuse_are_malformed(settings: str) -> None:
    """uv says so to whoever wrote them."""
    with pytest.raises(Malformed):
        find_builds(tomllib.loads(settings))


PARTS = (
    root(
        'dependencies = [{ name = "a" }]',
        "[package.optional-dependencies]",
        'gpu = [{ name = "b", extra = ["fast"] }]',
        "[package.dev-dependencies]",
        'dev = [{ name = "c" }]',
        'lint = [{ name = "d" }]',
    ),
    package("a"),
    package("b", "[package.optional-dependencies]", 'fast = [{ name = "e" }]').replace(
        '[package.optional-dependencies]\nfast = [{ name = "e" }]\nwheels', "wheels"
    )
    + '[package.optional-dependencies]\nfast = [{ name = "e" }]\nslow = [{ name = "f" }]\n',
    *map(package, "cdef"),
)


@pytest.mark.parametrize(
    ("narrowing", "found"),
    [
        ({}, "abcde"),
        ({"extras": frozenset()}, "acd"),
        ({"groups": frozenset(["dev"])}, "abce"),
        ({"extras": frozenset(["gpu"]), "groups": frozenset()}, "abe"),
        ({"packages": frozenset(["other"])}, ""),
    ],
)
def test_extras_and_groups_narrow(narrowing: dict[str, Any], found: str) -> None:
    """All of them by default; an extra of a dependency only where an edge asks for it."""
    assert names(read(*PARTS, **narrowing)) == {f"{name} 1.0" for name in found}


CPU = "extra == 'extra-3-app-cpu'"
NO_CPU = "extra != 'extra-3-app-cpu'"
CONFLICT = (
    root(
        f'dependencies = [{{ name = "torch", version = "1.0", marker = "{NO_CPU}" }}]',
        "[package.optional-dependencies]",
        f'cpu = [{{ name = "torch", version = "1.0+cpu", marker = "{CPU}" }}]',
        'gpu = [{ name = "cuda" }]',
    ),
    package("torch"),
    package("torch", version="1.0+cpu"),
    package("cuda"),
)
CONFLICTS = 'version = 1\nconflicts = [[{ package = "app", extra = "cpu" }]]'


@pytest.mark.parametrize(
    ("extras", "found"),
    [
        (None, {"torch 1.0", "torch 1.0+cpu", "cuda 1.0"}),
        (frozenset(["cpu"]), {"torch 1.0+cpu"}),
        (frozenset(["gpu"]), {"torch 1.0", "cuda 1.0"}),
    ],
)
def test_extras_that_exclude_each_other(
    extras: frozenset[str] | None, found: set[str]
) -> None:
    """Any of them may be what a job asks for, unless it is said which."""
    narrowing: dict[str, Any] = {} if extras is None else {"extras": extras}
    assert names(read(*CONFLICT, head=CONFLICTS, **narrowing)) == found


def test_each_interpreter_gets_the_wheel_that_uv_chooses() -> None:
    """The best tag, then the highest build tag; the sdist where none fits."""
    old, new = make_python("3.9.1"), make_python("3.12.1", "cp312-cp312-linux_x86_64")
    url = "https://files/a-1.0"
    wheels = ", ".join(
        f'{{ url = "{url}-{tags}.whl", hash = "sha256:{number}" }}'
        for number, tags in enumerate(
            ("cp312-cp312-linux_x86_64", "2-cp312-cp312-linux_x86_64", "cp310-none-any")
        )
    )
    demand = read(
        root('dependencies = [{ name = "a" }]'),
        package(
            "a",
            f"wheels = [{wheels}]",
            f'sdist = {{ url = "{url}.tar.gz", hash = "sha256:ff" }}',
        ),
        pythons=(old, new),
    )
    assert [(need.file, need.pythons) for need in demand.needs] == [
        (File(FileKind.SDIST, hashes=("sha256:ff",)), (0,)),
        (File(FileKind.WHEEL, "2-cp312-cp312-linux_x86_64", ("sha256:1",)), (1,)),
    ]


def test_sizes_of_files_are_told_where_the_lock_has_them() -> None:
    """Of the file that is chosen; one that cannot be a size is as good as none."""
    one = 'wheels = [{ url = "https://files/%s-1.0-py3-none-any.whl", size = %s }]'
    demand = read(
        root(f"dependencies = [{', '.join(f'{{ name = {n!r} }}' for n in 'abcd')}]"),
        package("a", one % ("a", 123)),
        package("b", one % ("b", -1)),
        package("c"),
        package(
            "d",
            "wheels = []",
            'sdist = { url = "https://files/d-1.0.tar.gz", size = 77 }',
        ),
    )
    sizes = {need.name: need.size_bytes for need in demand.needs}
    assert sizes == {"a": 123, "b": None, "c": None, "d": 77}


def test_sources_are_told_apart() -> None:
    """An index, a URL, a commit with a directory in it; local ones are no one's to share."""
    commit = "ab" * 20
    demand = read(
        root(f"dependencies = [{', '.join(f'{{ name = {n!r} }}' for n in 'abcde')}]"),
        package("a"),
        package("b", source='{ url = "https://host/b-1.0-py3-none-any.whl" }'),
        package(
            "c",
            "wheels = []",
            source=f'{{ git = "https://host/c?subdirectory=x&rev=main#{commit}" }}',
        ),
        package("d", source='{ path = "d-1.0-py3-none-any.whl" }'),
        package("e", source='{ editable = "e" }'),
    )
    assert {need.name: need.source for need in demand.needs} == {
        "a": Source(SourceKind.INDEX, INDEX),
        "b": Source(SourceKind.URL, "https://host/b-1.0-py3-none-any.whl"),
        "c": Source(
            SourceKind.GIT, f"git+https://host/c@{commit}#subdirectory=x", commit
        ),
    }
    assert reasons(demand).keys() == {"d"}


def test_lock_for_other_pythons_asks_for_nothing() -> None:
    """And says so for each of its packages."""
    demand = read(
        root('dependencies = [{ name = "a" }]'),
        package("a"),
        head='version = 1\nrequires-python = ">=3.13"',
    )
    assert demand.needs == ()
    assert reasons(demand) == {"a": "the lock is for Python >=3.13, and here is none"}


def test_script_and_workspace_begin_at_the_manifest() -> None:
    """A script has requirements and no package of its own; a workspace has members."""
    script = read(
        '[manifest]\nrequirements = [{ name = "a", specifier = "==1.0" }]',
        package("a"),
        package("b"),
    )
    assert names(script) == {"a 1.0"}
    member = package(
        "two", "dependencies = [{ name = 'b' }]", source="{ virtual = 'two' }"
    )
    workspace = (
        '[manifest]\nmembers = ["app", "two"]',
        root('dependencies = [{ name = "a" }]'),
        member,
        package("a"),
        package("b"),
    )
    assert names(read(*workspace)) == {"a 1.0", "b 1.0"}
    assert names(read(*workspace, packages=frozenset(["two"]))) == {"b 1.0"}


def test_file_that_is_no_lock_is_told_from_a_newer_one() -> None:
    """Such as a pyproject.toml after `--lock`: no upgrade of anything helps."""
    with pytest.raises(Malformed, match=r"^it has no `version`"):
        read(head="[project]\nname = 'a'")


@pytest.mark.parametrize("version", ["2", "true", '"1"', "0"])
def test_unknown_version_is_named(version: str) -> None:
    """A lock of a newer uv is refused; a newer revision of the format is read."""
    with pytest.raises(Malformed, match="only version 1 is known"):
        read(head=f"version = {version}")
    assert read(head="version = 1\nrevision = 99") == Demand()


@pytest.mark.parametrize(
    "part",
    [
        'package = "a"',
        '[[package]]\nname = 1\nsource = { virtual = "." }',
        "[[package]]\nname = 'a'\nsource = 'x'",
        root("dependencies = ['a']"),
        root('dependencies = [{ name = "a" }]') + package("a", source="{ new = 'x' }"),
        root('dependencies = [{ name = "a" }]') + package("a", "wheels = 'x'"),
    ],
)
def test_lock_of_another_shape_is_refused(part: str) -> None:
    """A value of the wrong type is told, and not stumbled over."""
    with pytest.raises(Malformed):
        read(part)


def test_cycles_end() -> None:
    """Packages that need each other are needed once."""
    demand = read(
        root('dependencies = [{ name = "a" }]'),
        package("a", "dependencies = [{ name = 'b' }]"),
        package("b", "dependencies = [{ name = 'a' }]"),
    )
    assert names(demand) == {"a 1.0", "b 1.0"}
