"""Real uv binaries of several versions, from PyPI, kept in the checkout.

`python -m tests.support.uvs` fetches those that the tests want.
"""

import importlib.metadata
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.support.pip import DownloadFailed, download

UV_VERSIONS = Path(__file__).parents[2] / ".uv-versions"
"""Where they are kept; shared by all runs of the tests in this checkout."""

OLD_VERSIONS = ("0.5.14", "0.9.30", "0.12.24")
"""What the tests want besides the installed one."""

BETWEEN_VERSIONS = ("0.6.17", "0.10.12", "0.12.0")
"""Versions that share bucket names with others, for a fleet that has several."""

HOW_TO = "with a package index in reach, run: python -m tests.support.uvs"


@dataclass(frozen=True, slots=True, order=True)
class Uv:
    """One uv binary."""

    release: tuple[int, ...]
    binary: Path

    @property
    def version(self) -> str:
        """Such as `0.5.14`."""
        return ".".join(map(str, self.release))

    @property
    def has_root_lock(self) -> bool:
        """Whether it locks the cache against `uv cache prune`."""
        return self.release >= (0, 8, 19)

    def __str__(self) -> str:
        return self.version


_UNAVAILABLE: dict[str, str] = {}


class UvUnavailable(Exception):
    """This uv is not here and could not be fetched."""


@cache
def installed_uv() -> Uv:
    """Return the uv that was installed as a dependency of the tests."""
    version = importlib.metadata.version("uv")
    for file in importlib.metadata.files("uv") or ():
        if file.name == "uv" and file.parent.name == "bin":
            return Uv(_release(version), Path(str(file.locate())).resolve())
    raise UvUnavailable("the installed uv package has no binary")


def load_uv(version: str) -> Uv:
    """Return a uv of this version, fetched if need be; raises UvUnavailable.

    Two runs at once may fetch the same version: each unpacks into a directory of its
    own, and the first to rename wins.
    """
    if version == installed_uv().version:
        return installed_uv()
    binary = UV_VERSIONS / version / "uv"
    if not binary.exists():
        if version in _UNAVAILABLE:  # ask once, not once per test
            raise UvUnavailable(_UNAVAILABLE[version])
        try:
            _fetch(version, binary.parent)
        except UvUnavailable as exc:
            _UNAVAILABLE[version] = str(exc)
            raise
    return Uv(_release(version), binary)


def find_uv(version: str) -> Uv | None:
    """Return a uv that is here already, without asking any index."""
    if version == installed_uv().version or (UV_VERSIONS / version / "uv").exists():
        return load_uv(version)
    return None


def load_uv_or_skip(version: str) -> Uv:
    """Return a uv of this version (or `newest`), or skip the test that wants it."""
    if version == "newest":
        return installed_uv()
    try:
        return load_uv(version)
    except UvUnavailable as exc:
        pytest.skip(f"{exc}; {HOW_TO}")


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _fetch(version: str, target: Path) -> None:
    UV_VERSIONS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=UV_VERSIONS, prefix=".fetch-") as scratch:
        try:
            arguments = ("--only-binary=:all:", f"uv=={version}")
            download(Path(scratch), *arguments, timeout_s=100)
        except DownloadFailed as exc:
            raise UvUnavailable(f"uv {version}: {exc}") from exc
        (wheel,) = Path(scratch).glob("*.whl")
        unpacked = Path(scratch, "unpacked")
        unpacked.mkdir()
        with zipfile.ZipFile(wheel) as archive:
            (member,) = (n for n in archive.namelist() if n.endswith("/scripts/uv"))
            with archive.open(member) as source, (unpacked / "uv").open("wb") as out:
                shutil.copyfileobj(source, out)
        (unpacked / "uv").chmod(0o755)
        try:
            unpacked.rename(target)
        except OSError:
            if not (target / "uv").exists():
                raise


def main() -> int:
    """Fetch what is missing; say nothing if all is here."""
    missing = False
    for version in (*OLD_VERSIONS, *BETWEEN_VERSIONS):
        if find_uv(version) is None:
            print(f"fetching uv {version}", flush=True)
            try:
                load_uv(version)
            except UvUnavailable as exc:
                print(f"not available: {exc}")
                missing = True
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
