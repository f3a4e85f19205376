"""Read all that is to say what a job needs.

A job has a lock of one kind, and waits: what reads the other kinds is not loaded.  PEP 751
alone takes 10 ms of it.
"""

from collections.abc import Sequence
from pathlib import Path

from wheelferry.errors import ProjectError
from wheelferry.project.files import load_toml, read_text
from wheelferry.project.find import NoLock, find_locks, find_python_versions
from wheelferry.project.inputs import Inputs
from wheelferry.project.interpreter import Interpreter, Request, parse_request
from wheelferry.project.need import Demand, Gathering
from wheelferry.project.table import Malformed

_MAX_VERSIONS_BYTES = 4096


def load_demand(inputs: Inputs, pythons: Sequence[Interpreter]) -> Demand:
    """Return what all of it asks for on these interpreters.

    Raises:
        ProjectError: Something is missing, or cannot be read.
        ProjectRefused: A lock is where none may be read.
    """
    gathering = Gathering()
    found: list[Path] = []
    for project in inputs.projects:
        try:
            found += find_locks(project, inputs.within)
        except NoLock as exc:
            gathering.lack_lock(str(exc))
    for lock in dict.fromkeys((*found, *inputs.locks)):
        # uv names them so: `pylock.toml`, `pylock.<name>.toml`; all others are its own.
        is_pylock = lock.name.startswith("pylock.") and lock.suffix == ".toml"
        data = load_toml(lock, inputs.within)
        try:
            if is_pylock:
                from wheelferry.project.pylock import read_pylock  # noqa: PLC0415

                read_pylock(data, pythons, gathering, inputs.narrowing)
            else:
                from wheelferry.project.builds import read_builds  # noqa: PLC0415
                from wheelferry.project.uvlock import read_uv_lock  # noqa: PLC0415

                builds = read_builds(lock.parent, inputs.within)
                read_uv_lock(data, pythons, gathering, inputs.narrowing, builds)
        except Malformed as exc:
            raise ProjectError(
                f"{lock} cannot be used: {exc}",
                hint="make it anew, or upgrade wheelferry if a newer tool made it",
            ) from exc
    if inputs.requirements:
        from wheelferry.project.requirements import RequirementFiles  # noqa: PLC0415

        files = RequirementFiles(lambda path: read_text(Path(path)))
        for path in inputs.constraints:
            files.add(str(path), is_constraint=True)
        for path in inputs.requirements:
            files.add(str(path))
        files.gather(pythons, gathering)
    return gathering.demand()


def find_requests(
    projects: Sequence[Path], within: Sequence[Path] = ()
) -> tuple[Request, ...]:
    """Return the versions that the `.python-version` of projects name.

    Paths, ranges and the like are none: of those, all interpreters count.

    Raises ProjectError, ProjectRefused: one cannot be read, or may not.
    """
    files = filter(None, (find_python_versions(path, within) for path in projects))
    lines = (
        line.partition("#")[0].strip()
        for path in files
        for line in read_text(path, _MAX_VERSIONS_BYTES, within).splitlines()
    )
    return tuple(filter(None, map(parse_request, filter(None, lines))))
