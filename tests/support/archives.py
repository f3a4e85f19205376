"""Judge the archives of a uv cache by their own RECORD; none of it is ours."""

import base64
import csv
import hashlib
from pathlib import Path


def unsound_archives(cache: Path) -> list[str]:
    """Return what is wrong with the archives of a cache, as `path: what`.

    Every file has to be in its RECORD, with its digest and its size.
    """
    wrong = []
    for archive in sorted(cache.glob("archive-v0/*")):
        listed = _read_record(archive)
        found = {
            path.relative_to(archive).as_posix(): _describe(path)
            for path in archive.rglob("*")
            if path.is_file()
        }
        for path in sorted(listed.keys() | found.keys()):
            if path.endswith(".dist-info/RECORD"):
                continue
            if listed.get(path) != found.get(path):
                wrong.append(
                    f"{archive.name}/{path}: is {found.get(path)}, "
                    f"by RECORD {listed.get(path)}"
                )
        if not listed:
            wrong.append(f"{archive.name}: has no RECORD")
    return wrong


def _read_record(archive: Path) -> dict[str, tuple[str, str]]:
    rows = [
        row
        for record in archive.glob("*.dist-info/RECORD")
        for row in csv.reader(record.read_text().splitlines())
    ]
    return {path: (digest, size) for path, digest, size in rows}


def _describe(path: Path) -> tuple[str, str]:
    data = path.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}", str(len(data))
