"""What lines of requirements files pin."""

import pytest

from tests.unit.test_project_uvlock import make_python
from wheelferry.errors import ProjectError
from wheelferry.project.need import (
    ANY_INDEX,
    Demand,
    File,
    FileKind,
    Gathering,
    Source,
    SourceKind,
)
from wheelferry.project.requirements import MAX_FILES, RequirementFiles

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def read(main: str, constraints: str = "", **others: str) -> Demand:
    """Read a file that may name others, as `x.txt` in the same folder."""
    files = {"/builds/main.txt": main, "/builds/c.txt": constraints}
    files |= {f"/builds/{name}.txt": text for name, text in others.items()}

    def load(path: str) -> str:
        if path not in files:
            raise ProjectError(f"cannot read {path}")
        return files[path]

    found, gathering = RequirementFiles(load), Gathering()
    found.add("/builds/c.txt", is_constraint=True)
    found.add("/builds/main.txt")
    found.gather([make_python()], gathering)
    return gathering.demand()


def test_exported_file_is_read() -> None:
    """Continued lines, hashes, markers, comments and options, as `uv export` writes."""
    demand = read(
        "# made by uv\n-i https://host/simple\n--pre\n"
        "A_b==1.0 \\\n    --hash=sha256:AA \\\n    --hash=sha256:bb\n    # via app\n"
        "c===2.0 ; sys_platform == 'linux' # here\n"
        "d[x]==3.0 ; sys_platform == 'win32' --hash=sha256:cc\n"
    )
    index = Source(SourceKind.INDEX, "https://host/simple")
    assert [need[:4] for need in demand.needs] == [
        ("a-b", "1.0", index, File(FileKind.ANY, "", ("sha256:aa", "sha256:bb"))),
        ("c", "2.0", index, File(FileKind.ANY)),
    ]
    (left,) = demand.omitted
    assert (left.name, left.version, left.is_elsewhere) == ("d", "3.0", True)


@pytest.mark.parametrize(
    "line", ["a", "a>=1", "a==1.*", "a==1,!=2", "a~=1.0", "a @ git+https://host/a@main"]
)
def test_line_that_pins_nothing_is_named(line: str) -> None:
    """With its place, and nothing is pulled for it."""
    demand = read(f"ok==1\n{line}\n")
    assert [need.name for need in demand.needs] == ["ok"]
    (left,) = demand.omitted
    assert (left.name, left.is_elsewhere) == ("a", False)
    assert left.reason.startswith("line 2 of /builds/main.txt")


@pytest.mark.parametrize("line", ["SECRET=hunter2", "./local", "${URL}", "-e ."])
def test_line_that_is_no_requirement_is_not_repeated(line: str) -> None:
    """The file may be any that a job points at."""
    (left,) = read(line).omitted
    assert "main.txt" in left.name
    assert "hunter2" not in "".join(map(str, left))


def test_constraints_pin_what_requirements_leave_open() -> None:
    """They ask for nothing by themselves."""
    (need,) = read("a\n", "a==1.5 --hash=sha256:aa\nb==2\n").needs
    assert need[:4] == ("a", "1.5", ANY_INDEX, File(FileKind.ANY, "", ("sha256:aa",)))
    (need,) = read("a==1.4\n", "a==1.5\n").needs
    assert need.version == "1.4"


def test_nested_files_are_read_once() -> None:
    """In each spelling of the option, also where they name each other."""
    demand = read(
        "-r x.txt\n-ry.txt\n--requirement=z.txt\n-c more.txt\n",
        x="a==1\n-r main.txt\n",
        y="b==2\n",
        z="c\n",
        more="c==3\n",
    )
    assert {(need.name, need.version) for need in demand.needs} == {
        ("a", "1"),
        ("b", "2"),
        ("c", "3"),
    }


def test_missing_and_endless_files_are_refused() -> None:
    """The first is named; so many are not read."""
    with pytest.raises(ProjectError, match=r"cannot read /builds/gone\.txt"):
        read("-r gone.txt")
    chain = {f"f{n}": f"-r f{n + 1}.txt" for n in range(MAX_FILES)}
    with pytest.raises(ProjectError, match=f"more than {MAX_FILES} requirements files"):
        read("-r f0.txt", **chain)


def test_direct_urls_and_commits() -> None:
    """By name or bare, with the hash that the URL carries."""
    wheel = "https://host/a-1.0-py3-none-any.whl"
    demand = read(
        f"a @ {wheel}#sha256=aa\nhttps://host/b-2.0.tar.gz --hash=sha256:bb\n"
        f"c @ git+https://host/c.git@{COMMIT}#subdirectory=x\n"
        f"git+https://host/d@{COMMIT}#egg=d\n"
        "e @ https://host/e-1.0-cp27-none-any.whl\n"
    )
    assert {need.name: need[2:4] for need in demand.needs} == {
        "a": (
            Source(SourceKind.URL, f"{wheel}#sha256=aa"),
            File(FileKind.WHEEL, "py3-none-any", ("sha256:aa",)),
        ),
        "b": (
            Source(SourceKind.URL, "https://host/b-2.0.tar.gz"),
            File(FileKind.SDIST, hashes=("sha256:bb",)),
        ),
        "c": (
            Source.git("https://host/c.git", COMMIT, subdirectory="x"),
            File(FileKind.SDIST),
        ),
        "d": (Source.git("https://host/d", COMMIT), File(FileKind.SDIST)),
    }
    assert [left.name for left in demand.omitted] == ["e"]
