"""The packages that most tests of real uv install: one of each kind.

Built once per session: making the native wheel runs gcc.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from wheelferry.sample import Dist, make_sdist, make_wheel, source_tree


def make_native_wheel(name: str, version: str = "1.0") -> Dist:
    """Make a wheel with a module in C, for the interpreter that runs the tests.

    Unlike what uv builds from an sdist here, it is the same file for every runner.
    """
    tree = source_tree(name, version, extension=True)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        write_tree(root / "source", tree)
        code = "import backend; print(backend.build_wheel('..'))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=root / "source",
            env={**os.environ, "PYTHONPATH": "_build"},
            check=True,
            capture_output=True,
            text=True,
        )
        filename = done.stdout.strip()
        data = (root / filename).read_bytes()
    return Dist(
        name=name,
        version=version,
        filename=filename,
        data=data,
        metadata=tree["PKG-INFO"],
    )


def write_tree(root: Path, tree: dict[str, bytes]) -> None:
    """Write files by relative path below `root`."""
    for path, data in tree.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """One package of each kind; its name says which.

    Attributes:
        listed: What the index has on its pages.
        direct: What it serves for direct URLs only.
        git_tree: The files of `git-dep`.
    """

    listed: tuple[Dist, ...]
    direct: tuple[Dist, ...]
    git_tree: dict[str, bytes]

    def find(self, name: str, version: str = "1.0") -> Dist:
        """Return the file of a package."""
        for dist in (*self.listed, *self.direct):
            if (dist.name, dist.version) == (name, version):
                return dist
        raise KeyError(f"no {name} {version}")


def build_packages() -> Packages:
    """Make the packages; needs gcc and the headers of the running interpreter."""
    command = b"#!python\nprint('pure-wheel')\n"
    listed = [
        make_wheel(
            "pure-wheel",
            version,
            files={
                "pure_wheel/__init__.py": f"__version__ = '{version}'\n".encode(),
                "pure_wheel/data.bin": bytes(range(256)) * 300,
                "pure_wheel/empty.txt": b"",
                f"pure_wheel-{version}.data/scripts/pure-wheel": command,
            },
        )
        for version in ("1.0", "1.1")
    ]
    listed += [make_sdist("pure-sdist", version) for version in ("1.0", "1.1")]
    listed += [
        make_sdist("dynamic-sdist", dynamic=True),
        make_sdist("cext-sdist", extension=True),
        make_native_wheel("native-wheel"),
    ]
    return Packages(
        listed=tuple(listed),
        direct=(make_wheel("url-wheel"), make_sdist("url-sdist")),
        git_tree=source_tree("git-dep"),
    )
