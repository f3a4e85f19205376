"""Make ELF files with gcc: extension modules that need what a test wants them to need."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest


def require_gcc() -> None:
    """Skip the test if there is no compiler."""
    if not shutil.which("gcc"):
        pytest.skip("no C compiler; run: apt-get install -y gcc")


def make_library(
    path: Path,
    *,
    soname: str | None = None,
    versions: Sequence[str] = (),
    needs: Sequence[Path] = (),
    flags: Sequence[str] = (),
) -> Path:
    """Make a shared library that stands by itself, without any C library.

    Args:
        path: Where to; its directory is made.
        soname: Its name for others; that of the file unless given.
        versions: It defines a symbol `at_<version>` of each of these.
        needs: Others made by this, of which it uses every symbol.
        flags: For gcc.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    source, script = path.with_suffix(".c"), path.with_suffix(".map")
    own = [_symbol(name) for name in versions or [path.name]]
    used = [name for other in needs for name in _symbols(other)]
    source.write_text(
        "".join(f"int {name}(void);\n" for name in used)
        + "".join(f"int {name}(void) {{ return 1; }}\n" for name in own)
        + "int use_all(void) { return 0"
        + "".join(f" + {name}()" for name in used)
        + "; }\n"
    )
    script.write_text(
        "".join(
            f"{version} {{ global: {_symbol(version)}; }};\n" for version in versions
        )
    )
    command = ["gcc", "-shared", "-fPIC", "-nostdlib", "-O0", *flags]
    command += [f"-Wl,-soname,{soname or path.name}"]
    command += [f"-Wl,--version-script={script}"] if versions else []
    command += ["-o", str(path), str(source), *map(str, needs)]
    subprocess.run(command, check=True, capture_output=True)
    path.with_suffix(".symbols").write_text(" ".join(own))
    return path


@cache
def module(*needs: tuple[str, tuple[str, ...]], soname: str = "_native.so") -> bytes:
    """Return a module that needs these libraries, with these versions of symbols.

    The libraries are stubs under those names: how a newer glibc than any is linked to.
    """
    require_gcc()
    with tempfile.TemporaryDirectory() as scratch:
        stubs = [
            make_library(Path(scratch, str(number), name), versions=versions)
            for number, (name, versions) in enumerate(needs)
        ]
        made = make_library(Path(scratch, "module.so"), soname=soname, needs=stubs)
        return made.read_bytes()


def _symbol(version: str) -> str:
    return "at_" + "".join(c if c.isalnum() else "_" for c in version)


def _symbols(library: Path) -> list[str]:
    return library.with_suffix(".symbols").read_text().split()
