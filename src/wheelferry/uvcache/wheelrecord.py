"""Compare a wheel's tree with the RECORD file in it.

(What the store's catalog records of an entry is checked by `recordcheck`.)

Pure.  A job can edit its virtual environment, and through the hardlinks the cache: this
is what keeps such an edit out of the store.  It catches accidents, not an attacker, who
would edit RECORD too.

RECORD is CSV of path, `algorithm=urlsafe-base64-nopad` and size (PEP 376, PEP 427).  uv
keeps a wheel's RECORD as it is, unless it does not match the files that were unpacked:
then (0.11.8 and later; 0.10.12 does not) it drops lines of files that are not there, and
adds lines with a size and no hash for files that are not listed.  A file without a hash
cannot be checked, so such a wheel is not shared; neither is one whose hashes are not
SHA-256, which is all that packing computes.  uv adds no files to a cached archive:
INSTALLER, REQUESTED, direct_url.json, uv_cache.json and .pyc files are made in
environments only.
"""

import binascii
import csv
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from wheelferry.uvcache.wheelname import pick_dist_info

UNLISTED: Final = ("RECORD", "RECORD.jws", "RECORD.p7s")
"""Files of `.dist-info` that RECORD need not list, or not with a hash."""

MAX_RECORD_BYTES: Final = 64 << 20

NO_DIGEST: Final = "has no SHA-256 in RECORD, so it cannot be checked"
"""The one problem of a file that says nothing against it."""

_LINE_END: Final = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A file that is not as RECORD says."""

    path: str
    problem: str

    def __str__(self) -> str:
        """Say it in words."""
        return f"{self.path} {self.problem}"


def find_dist_info(paths: Iterable[str], name: str | None = None) -> str | None:
    """Return the one top-level `*.dist-info` of a tree, or None; see `pick_dist_info`."""
    return pick_dist_info(
        {path.partition("/")[0] for path in paths if "/" in path}, name
    )


def find_record(paths: Iterable[str], name: str) -> str | None:
    """Return the path of a tree's RECORD, or None if it has none of that package."""
    known = set(paths)
    dist_info = find_dist_info(known, name)
    record = f"{dist_info}/RECORD"
    return record if dist_info and record in known else None


def check_record(
    record: bytes | None, files: Mapping[str, tuple[int, bytes]]
) -> tuple[Issue, ...]:
    """Return all that is wrong with a tree, sorted by path; nothing if it is sound.

    Args:
        record: Content of the tree's RECORD; None if it has none.
        files: All files of the tree: size in bytes and SHA-256 (32 bytes), by path.
    """
    dist_info = find_dist_info(files)
    own = f"{dist_info}/RECORD"
    if record is None or dist_info is None or own not in files:
        return (Issue(path="RECORD", problem="is missing"),)
    if files[own][1] != hashlib.sha256(record).digest():
        return (Issue(path=own, problem="changed while the tree was read"),)
    try:
        listed = _parse(record)
    except (UnicodeDecodeError, csv.Error, ValueError) as exc:
        return (Issue(path=own, problem=f"cannot be read: {exc}"),)
    unlisted = {f"{dist_info}/{name}" for name in UNLISTED}
    problems = {
        path: problem
        for path, (digest, size) in listed.items()
        if path not in unlisted
        if (problem := _compare(digest, size, files.get(path)))
    }
    extra = files.keys() - listed.keys() - unlisted
    problems.update(dict.fromkeys(extra, "is not listed in RECORD"))
    return tuple(Issue(path=p, problem=problems[p]) for p in sorted(problems))


def _parse(record: bytes) -> dict[str, tuple[str, str]]:
    """Return hash and size, as written, by path; raises ValueError."""
    # Not `splitlines`, which ends a line at characters that a path may have.
    lines = _LINE_END.split(record.decode())
    listed: dict[str, tuple[str, str]] = {}
    for row in csv.reader(lines, strict=True):
        if not row:
            continue
        path, digest, size, *_ = [*row, "", ""]
        path = path.removeprefix("./")
        if listed.setdefault(path, (digest, size)) != (digest, size):
            raise ValueError(f"it lists {path} twice, and differently")
    return listed


def _compare(digest: str, size: str, found: tuple[int, bytes] | None) -> str | None:
    if found is None:
        return "is listed in RECORD, but missing"
    size_bytes, sha256 = found
    algorithm, _, value = digest.partition("=")
    if algorithm != "sha256":
        return NO_DIGEST
    expected = binascii.b2a_base64(sha256, newline=False).rstrip(b"=").decode()
    is_same = value.rstrip("=") == expected.replace("+", "-").replace("/", "_")
    if is_same and size in ("", str(size_bytes)):
        return None
    if not size_bytes:
        return "is empty, and not by its RECORD (edited, or lost by a power failure?)"
    if size and size != str(size_bytes):
        return f"has {size_bytes} bytes, and {size} by its RECORD (edited?)"
    return "does not match its digest in RECORD (edited?)"
