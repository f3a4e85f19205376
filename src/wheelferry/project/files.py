"""Read a file of a checkout: bounded, and never one that keeps us waiting."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from wheelferry.errors import ProjectError, ProjectRefused

MAX_LOCK_BYTES: Final = 16 << 20
"""The largest locks that people have are of about 3 MiB; reading this much takes 10 s."""


def read_text(
    path: Path, limit_bytes: int = MAX_LOCK_BYTES, within: Sequence[Path] = ()
) -> str:
    """Return the text of a plain file, or of one that a link leads to.

    `within` are directories, if any, out of which no link may lead.

    Raises:
        ProjectError: There is none, it is too large, or no UTF-8.
        ProjectRefused: It is outside of `within`.
    """
    try:
        # A pipe must not keep us waiting for its other end.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            # Of what is open: a name may lead elsewhere by now.
            if within and not _is_within(fd, within):
                raise ProjectRefused(f"{str(path)!r} leads out of daemon.projects")
            is_plain = stat.S_ISREG(os.fstat(fd).st_mode)
            data = _read(fd, limit_bytes + 1) if is_plain else b""
        finally:
            os.close(fd)
    except OSError as exc:
        raise ProjectError(
            f"cannot read {path}: {exc.strerror}",
            hint="name a file that the user of the jobs may read",
        ) from exc
    if not is_plain:
        raise ProjectError(
            f"{path} is no plain file",
            hint="name the file itself; for the directory of a project there is --project",
        )
    if len(data) > limit_bytes:
        raise ProjectError(f"{path} is larger than {limit_bytes} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise ProjectError(f"{path} is no text in UTF-8") from exc


def _is_within(fd: int, directories: Sequence[Path]) -> bool:
    where = Path(f"/proc/self/fd/{fd}").readlink()
    return any(map(where.is_relative_to, directories))


def _read(fd: int, limit_bytes: int) -> bytes:
    parts: list[bytes] = []
    while limit_bytes and (part := os.read(fd, limit_bytes)):
        parts.append(part)
        limit_bytes -= len(part)
    return b"".join(parts)


def load_toml(path: Path, within: Sequence[Path] = ()) -> dict[str, Any]:
    """Return what a TOML file says; see `read_text`.

    Raises:
        ProjectError: It cannot be read, or is no TOML.
        ProjectRefused: It is outside of `within`.
    """
    import tomllib  # noqa: PLC0415 - only where there is a project

    text = read_text(path, within=within)
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise ProjectError(
            f"{path} is no valid TOML: {str(exc)[:200]}", hint="make it anew"
        ) from exc
