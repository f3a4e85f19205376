"""Make tiny wheels and sdists, in memory.

Equal arguments give equal bytes, so that lock files and digests can be kept.
"""

import gzip
import hashlib
import io
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath

from wheelferry.sample.backend import zip_wheel

_EXTENSION = """\
#include <Python.h>
#include <math.h>

static PyObject *answer(PyObject *self, PyObject *args) {
    (void)self; (void)args;
    return PyLong_FromLong((long)floor(42.5));
}

static PyMethodDef methods[] = {
    {"answer", answer, METH_NOARGS, "Return 42."}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&definition); }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dist:
    """One file that an index can serve.

    Attributes:
        name: Normalised package name.
        version: Its version.
        filename: `<name>-<version>-<tags>.whl` or `<name>-<version>.tar.gz`.
        data: The file's bytes.
        metadata: Its core metadata.
    """

    name: str
    version: str
    filename: str
    data: bytes
    metadata: bytes

    @property
    def is_wheel(self) -> bool:
        """Whether this is a wheel, not an sdist."""
        return self.filename.endswith(".whl")

    @property
    def sha256(self) -> str:
        """The digest of the file, lower-case hex."""
        return hashlib.sha256(self.data).hexdigest()


def normalize(name: str) -> str:
    """Return a package name as indexes spell it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def make_wheel(
    name: str,
    version: str = "1.0",
    *,
    tag: str = "py3-none-any",
    files: Mapping[str, bytes] | None = None,
    requires: Sequence[str] = (),
) -> Dist:
    """Make a wheel.

    Args:
        name: Package name.
        version: Version in normal form.
        tag: Python, ABI and platform tags.
        files: Members by path, without `.dist-info`; one module if not given.  Those
            that start with `#!` or end with `.so` are executable.
        requires: Requirements of the package.
    """
    name = normalize(name)
    module = name.replace("-", "_")
    if files is None:
        files = _module_files(name, version)
    metadata = _metadata(name, version, requires)
    return Dist(
        name=name,
        version=version,
        filename=f"{module}-{version}-{tag}.whl",
        data=zip_wheel(module, version, tag, dict(files), metadata),
        metadata=metadata,
    )


def make_sdist(
    name: str,
    version: str = "1.0",
    *,
    extension: bool = False,
    dynamic: bool = False,
    files: Mapping[str, bytes] | None = None,
    requires: Sequence[str] = (),
) -> Dist:
    """Make an sdist that builds with nothing but Python, and gcc for an extension.

    The arguments are those of `source_tree`.
    """
    tree = source_tree(
        name,
        version,
        extension=extension,
        dynamic=dynamic,
        files=files,
        requires=requires,
    )
    name = normalize(name)
    stem = f"{name.replace('-', '_')}-{version}"
    return Dist(
        name=name,
        version=version,
        filename=f"{stem}.tar.gz",
        data=_tar_gz(stem, tree),
        metadata=tree["PKG-INFO"],
    )


def source_tree(
    name: str,
    version: str = "1.0",
    *,
    extension: bool = False,
    dynamic: bool = False,
    files: Mapping[str, bytes] | None = None,
    requires: Sequence[str] = (),
) -> dict[str, bytes]:
    """Return the files of a source tree by path: of an sdist, or for a repository.

    Args:
        name: Package name.
        version: Version in normal form.
        extension: Whether it has a C module, `<package>._native`.
        dynamic: Whether a resolver has to build it to know its metadata.
        files: Members of the package by path below `src/`; one module if not given.
        requires: Requirements of the package.
    """
    name = normalize(name)
    pyproject = (
        "[build-system]\n"
        "requires = []\n"
        'build-backend = "backend"\n'
        'backend-path = ["_build"]\n'
    )
    if not dynamic:
        quoted = ", ".join(f'"{requirement}"' for requirement in requires)
        pyproject += (
            f'\n[project]\nname = "{name}"\nversion = "{version}"\n'
            f'requires-python = ">=3.8"\ndependencies = [{quoted}]\n'
        )
    if files is None:
        files = _module_files(name, version)
    tree = {f"src/{path}": data for path, data in files.items()}
    if extension:
        tree["extension.c"] = _EXTENSION.encode()
    backend = resources.files("wheelferry.sample").joinpath("backend.py")
    tree["_build/backend.py"] = backend.read_bytes()
    tree["pyproject.toml"] = pyproject.encode()
    tree["PKG-INFO"] = _metadata(name, version, requires, static=not dynamic)
    return tree


def _module_files(name: str, version: str) -> dict[str, bytes]:
    module = name.replace("-", "_")
    text = f'"""Sample package {name}."""\n\n__version__ = "{version}"\n'
    return {f"{module}/__init__.py": text.encode(), f"{module}/py.typed": b""}


def _metadata(
    name: str, version: str, requires: Sequence[str], *, static: bool = True
) -> bytes:
    # From metadata version 2.2 on a resolver may trust an sdist's PKG-INFO (PEP 643).
    lines = [
        f"Metadata-Version: {'2.2' if static else '2.1'}",
        f"Name: {name}",
        f"Version: {version}",
        "Summary: A sample package",
        "Requires-Python: >=3.8",
        *(f"Requires-Dist: {requirement}" for requirement in requires),
    ]
    return ("\n".join(lines) + "\n").encode()


def _tar_gz(stem: str, tree: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, data in sorted(tree.items()):
            member = tarfile.TarInfo(str(PurePosixPath(stem, path)))
            member.size, member.mode, member.mtime = len(data), 0o644, 1577836800
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
