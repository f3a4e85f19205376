"""Make the `.whl` of a built wheel again from its unpacked tree.

uv keeps the `.whl` of what it built and unpacks it anew for `--reinstall`, `--refresh`
and after `uv cache prune --ci`.  It looks at the members, not at the bytes, so the store
does not carry the same content twice: the file is made here, when an entry is restored.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wheelferry.disk import Disk
from wheelferry.uvcache.reading import open_plain

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say
_LEVEL: Final = 1  # it is read at most once, on this runner
_LEVEL_ATTRIBUTE: Final = "_compresslevel"  # public, as `compress_level`, from 3.13 on
_BLOCK_BYTES: Final = 1 << 20
_REGULAR: Final = 0o100000
_UNIX: Final = 3


def write_wheel(tree: Path, target: Path, *, disk: Disk) -> None:
    """Write the files below `tree` as the zip file `target`, which must not exist.

    The same tree makes the same bytes: sorted, with `.dist-info` last as PEP 427 has it,
    one date for all, modes 644 and 755.  Not synced.  Killed half way, it leaves a part
    of a file at `target`: for staging directories only.

    Raises OSError.
    """
    from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo  # noqa: PLC0415 - builds only

    fd = disk.open_new(target, 0o644)
    with open(fd, "wb") as file, ZipFile(file, "w", ZIP_DEFLATED) as wheel:
        for path in sorted(_list_files(tree), key=_order):
            with open(open_plain(f"{tree}/{path}"), "rb", buffering=0) as content:
                status = os.fstat(content.fileno())
                member = ZipInfo(path, _EPOCH)
                member.compress_type = ZIP_DEFLATED
                setattr(member, _LEVEL_ATTRIBUTE, _LEVEL)
                member.create_system = _UNIX
                mode = 0o755 if status.st_mode & 0o111 else 0o644
                member.external_attr = (_REGULAR | mode) << 16
                member.file_size = status.st_size  # decides whether it needs ZIP64
                with wheel.open(member, "w") as zipped:
                    while block := content.read(_BLOCK_BYTES):
                        zipped.write(block)


def _list_files(tree: Path) -> Iterator[str]:
    for parent, _, names in os.walk(tree):
        below = os.path.relpath(parent, tree)
        yield from (name if below == "." else f"{below}/{name}" for name in names)


def _order(path: str) -> tuple[bool, str]:
    return path.partition("/")[0].endswith(".dist-info"), path
