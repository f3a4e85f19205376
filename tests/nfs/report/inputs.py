"""What the job of the report needs of a package index, kept in the checkout.

`python -m tests.nfs.report.inputs` fetches it, by `pip download`.
"""

import re
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path

from tests.nfs.report import needs
from tests.support.pip import DownloadFailed, download
from tests.support.project import Project
from wheelferry.sample import Dist, render_pyproject
from wheelferry.sample.packages import normalize

FOLDER = Path(__file__).parents[3] / ".report-inputs"
"""Where the files are; shared by all runs in this checkout."""

SDISTS = ("mysqlclient==2.1.1", "pymongo==4.7.3", "reportlab==3.6.13", "svglib==1.5.1")
WHEELS = (
    *("cssselect2==0.10.1", "dnspython==2.9.2", "lxml==6.1.3", "pillow==13.0.0"),
    *("setuptools==84.2.1", "tinycss2==1.5.1", "webencodings==0.6.1"),
)
"""What they run with; and setuptools, which builds them."""

_REQUIRES = {
    "cssselect2": ("tinycss2", "webencodings"),
    "pymongo": ("dnspython",),
    "reportlab": ("pillow",),
    "svglib": ("cssselect2", "lxml", "reportlab", "tinycss2"),
    "tinycss2": ("webencodings",),
}
HOW_TO = "with a package index in reach, run: python -m tests.nfs.report.inputs"
_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
_TOO_NEW = (3, 12)


class InputsUnavailable(Exception):
    """The files are not here and cannot be fetched, or cannot be built here."""


@cache
def load_inputs() -> tuple[Dist, ...]:
    """Return the files, fetched if need be; raises InputsUnavailable."""
    if sys.version_info >= _TOO_NEW:
        version = "these sdists are older than this Python"
        raise InputsUnavailable(f"{version}; have an environment with Python 3.11")
    if needs.find_missing():
        raise InputsUnavailable(needs.HOW_TO)
    if len(found := read_folder(FOLDER)) != len(SDISTS) + len(WHEELS):
        _fetch()
        found = read_folder(FOLDER)
    return found


def read_folder(folder: Path) -> tuple[Dist, ...]:
    """Return the files of a folder that were asked for, by name."""
    wanted = {*SDISTS, *WHEELS}
    found = map(read_dist, find_dists(folder))
    return tuple(
        sorted(
            (dist for dist in found if f"{dist.name}=={dist.version}" in wanted),
            key=lambda dist: dist.name,
        )
    )


def find_dists(folder: Path) -> list[Path]:
    """Return the wheels and sdists of a folder."""
    return sorted(path for path in folder.glob("*") if path.suffix in (".whl", ".gz"))


def make_project(url: str) -> Project:
    """Return a project with these packages and its lock, for an index at this URL."""
    index = f"{url}/simple"
    dists = [dist for dist in load_inputs() if dist.name != "setuptools"]
    names = [requirement.partition("==")[0] for requirement in SDISTS]
    wanted = "".join(
        f'{{ name = "{name}", specifier = "=={version}" }}, '
        for name, _, version in (text.partition("==") for text in SDISTS)
    )
    lines = [
        "version = 1",
        'requires-python = ">=3.8"',
        *("", "[[package]]", 'name = "sample-project"', 'version = "0"'),
        'source = { virtual = "." }',
        f"dependencies = [{_names(names)}]",
        *("", "[package.metadata]", f"requires-dist = [{wanted}]"),
    ]
    for dist in dists:
        file = (
            f'{{ url = "{url}/files/{dist.filename}", hash = "sha256:{dist.sha256}",'
            f" size = {len(dist.data)} }}"
        )
        lines += [
            *("", "[[package]]", f'name = "{dist.name}"'),
            f'version = "{dist.version}"',
            f'source = {{ registry = "{index}" }}',
            f"dependencies = [{_names(_REQUIRES.get(dist.name, ()))}]",
            f"wheels = [{file}]" if dist.is_wheel else f"sdist = {file}",
        ]
    pyproject = render_pyproject(requirements=SDISTS, index_url=index)
    return Project(pyproject=pyproject, lock="\n".join(lines) + "\n")


def _names(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f'{{ name = "{name}" }}' for name in names)


def read_dist(path: Path) -> Dist:
    """Read a wheel or an sdist; of the latter no metadata."""
    metadata = b""
    if path.suffix == ".whl":
        name, version = path.name.split("-")[:2]
        with zipfile.ZipFile(path) as archive:
            [member] = (n for n in archive.namelist() if _METADATA.fullmatch(n))
            metadata = archive.read(member)
    else:
        name, _, version = path.name.removesuffix(".tar.gz").rpartition("-")
    return Dist(
        name=normalize(name),
        version=version,
        filename=path.name,
        data=path.read_bytes(),
        metadata=metadata,
    )


def _fetch() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".fetch-") as scratch:
        sdists = ",".join(text.partition("==")[0] for text in SDISTS)
        arguments = (f"--no-binary={sdists}", *SDISTS, *WHEELS)
        try:
            download(Path(scratch), *arguments, timeout_s=300)
        except DownloadFailed as exc:
            raise InputsUnavailable(f"{exc}; {HOW_TO}") from exc
        for path in Path(scratch).iterdir():
            path.replace(FOLDER / path.name)


if __name__ == "__main__":
    try:
        load_inputs()
    except InputsUnavailable as exc:
        print(f"not available: {exc}")
        sys.exit(1)
