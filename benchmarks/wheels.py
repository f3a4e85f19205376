"""Real wheels to measure with, from the user's own package index."""

import base64
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from benchmarks.measure import warn
from wheelferry.pack.writer import SourceFile

# The restored set: about 9,000 files and 170 MB.
RESTORED = (
    *("anyio", "attrs", "botocore", "certifi", "charset-normalizer", "click", "django"),
    *("flask", "httpcore", "httpx", "idna", "jinja2", "lxml", "markupsafe", "numpy"),
    *("packaging", "pandas", "pydantic", "pydantic-core", "pytest", "python-dateutil"),
    *("pyyaml", "requests", "rich", "six", "starlette", "typing-extensions"),
    *("urllib3", "uvicorn", "werkzeug"),
)
# About 60 wheels, small and large, pure and native.
ALL = tuple(
    sorted(
        {
            *RESTORED,
            *("aiohttp", "babel", "black", "boto3", "celery", "cryptography"),
            *("docutils", "fastapi", "frozenlist", "grpcio", "matplotlib", "multidict"),
            *("mypy", "networkx", "pillow", "pip", "protobuf", "psycopg2-binary"),
            *("pygments", "pytz", "redis", "ruff", "scikit-learn", "scipy"),
            *("setuptools", "sphinx", "sqlalchemy", "tzdata", "virtualenv", "wheel"),
            "yarl",
        }
    )
)


def default_folder() -> Path:
    """Return where downloaded wheels are kept between runs."""
    return Path(tempfile.gettempdir()) / "wheelferry-benchmark-wheels"


def fetch(names: Sequence[str], folder: Path) -> list[Path]:
    """Return one wheel file per name, having pip download those that are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in names if not _find(name, folder)]
    if missing:
        warn(f"fetching {len(missing)} wheels from the package index, into {folder}")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", str(folder), *missing]
        subprocess.run(command, check=True)
    return [found for name in names if (found := _find(name, folder))]


def _find(name: str, folder: Path) -> Path | None:
    found = sorted(folder.glob(f"{name.replace('-', '_')}-*.whl"))
    return found[-1] if found else None


def unpack(wheel: Path, target: Path) -> None:
    """Unpack a wheel as uv does: mode 644, and 755 where the zip has an x bit."""
    target.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
        for member in archive.infolist():
            if not member.is_dir() and member.external_attr >> 16 & 0o111:
                (target / member.filename).chmod(0o755)


def write_small_wheel(archive: Path, name: str, *, files: int) -> None:
    """Write the tree of a wheel with so many tiny files, RECORD included."""
    info = f"{name}-1.0.dist-info"
    lines = []
    for number in range(files - 1):
        path, data = f"{name}/mod{number}.py", b"answer = %d\n" % number
        (archive / path).parent.mkdir(parents=True, exist_ok=True)
        (archive / path).write_bytes(data)
        raw = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
        lines.append(f"{path},sha256={raw.rstrip(b'=').decode()},{len(data)}\n")
    (archive / info).mkdir(parents=True)
    (archive / info / "RECORD").write_text("".join([*lines, f"{info}/RECORD,,\n"]))


def members(wheel: Path) -> Iterator[SourceFile]:
    """Yield the files of a wheel, to be packed without being unpacked first."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            content = archive.read(member)
            yield SourceFile(
                path=member.filename,
                size_bytes=len(content),
                executable=bool(member.external_attr >> 16 & 0o111),
                open=partial(_open_bytes, content),
            )


def _open_bytes(content: bytes) -> BinaryIO:
    return io.BytesIO(content)
