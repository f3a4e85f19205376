"""Pack one entry, and check that it is what its wheel's author made."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wheelferry.disk import Disk
from wheelferry.errors import IntegrityError, RecordMalformed
from wheelferry.native.elf import NotUnderstood
from wheelferry.native.judge import Machine
from wheelferry.ops.convert import encode_record
from wheelferry.ops.left import Left
from wheelferry.ops.needs import find_needs
from wheelferry.ops.promote_plan import subject_of
from wheelferry.pack.pool import Pool
from wheelferry.pack.writer import (
    ChangedWhilePacking,
    SpooledPack,
    SpoolFailed,
    go_on,
    write_pack,
)
from wheelferry.store.record import Record
from wheelferry.store.record_map import encode_map
from wheelferry.uvcache.cached import CachedEntry, is_unchanged
from wheelferry.uvcache.tree import NotPackable, list_tree, read_record, stamp_tree
from wheelferry.uvcache.wheelrecord import check_record

_MAX_ISSUES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A pack that passed its check, and the record that is to name it."""

    pack: SpooledPack
    record: Record


class NotPacked(NamedTuple):
    """An entry that stays where it is.

    Attributes:
        left: Why.
        stamp: What it was before it was read, if it is refused for what it is; "" if
            another attempt may end in another way.
    """

    left: Left
    stamp: str = ""


def pack_entry(
    entry: CachedEntry,
    spool: Path,
    disk: Disk,
    pool: Pool,
    *,
    machine: Machine,
    step: Callable[[], None] = go_on,
) -> Packed | NotPacked:
    """Pack an entry, and check what was packed against the wheel's own RECORD.

    `machine` is this one, which built what is native in it; `step` as in `write_pack`.
    """
    subject = subject_of(entry.info)
    stamp = ""
    try:
        stamp = stamp_tree(entry)
        files = list_tree(entry)
        record = read_record(files)
        needs = find_needs(entry.info, files, machine)
        pack = write_pack(files, spool, disk=disk, pool=pool, step=step)
    except (FileNotFoundError, ChangedWhilePacking) as exc:
        return _changed(subject, f"changed while it was packed: {exc}")
    except SpoolFailed:
        raise
    except (NotPackable, NotUnderstood, IntegrityError, OSError) as exc:
        if not is_unchanged(entry):  # `uv cache clean` takes it away piece by piece
            return _changed(subject, f"changed while it was packed: {exc}")
        left = Left(subject=subject, reason=str(exc))
        return NotPacked(left, "" if isinstance(exc, OSError) else stamp)
    catalogued = encode_record(
        entry.info,
        pack=pack.digest,
        pack_bytes=pack.pack_bytes,
        tree_bytes=pack.tree_bytes,
        tree_files=pack.tree_files,
        needs=needs,
    )
    if not is_unchanged(entry):
        pack.close()
        return _changed(subject, "was replaced while it was packed")
    fault = _find_fault(entry, pack, record) or _find_limit(catalogued)
    if fault:
        pack.close()
        return NotPacked(Left(subject=subject, reason=fault), stamp)
    return Packed(pack=pack, record=catalogued)


def _changed(subject: str, reason: str) -> NotPacked:
    return NotPacked(Left(subject=subject, reason=reason, is_unsettled=True))


def _find_fault(
    entry: CachedEntry, pack: SpooledPack, record: bytes | None
) -> str | None:
    """Return why what was packed is not what is to be shared, or None."""
    found = {file.path: (file.size_bytes, file.digest) for file in pack.table.files}
    issues = check_record(record, found)
    if not issues:
        return None
    named = "; ".join(map(str, issues[:_MAX_ISSUES]))
    more = len(issues) - _MAX_ISSUES
    named += f"; and {more} more files" if more > 0 else ""
    return f"{named}; `uv cache clean {entry.info.name}` makes uv get it anew"


def _find_limit(record: Record) -> str | None:
    """Return why the catalog cannot hold a record, or None."""
    try:
        encode_map(record)
    except RecordMalformed as exc:
        return f"no record can hold it: {exc.message}"
    return None
