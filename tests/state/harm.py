"""What a server can do to files of a store, unseen: times and names stay."""

import os
from collections.abc import Sequence
from pathlib import Path

from tests.state.events import Spoil, Tear
from tests.state.shelf import Shelf
from tests.state.wares import forge
from tests.support.forge import object_path, overwrite
from wheelferry.store.layout import segment_path
from wheelferry.store.record import Digest, SegmentId


def spoil(store: Path, shelf: Shelf, event: Spoil) -> set[Digest]:
    """Damage or lose an object; return which, if there is one."""
    some = {ware.pack for ware in event.among} & shelf.written_s.keys()
    there = sorted(some or shelf.written_s)
    if not there:
        return set()
    pack = there[event.which % len(there)]
    path = object_path(store, pack)
    if event.how == "lost":
        path.unlink()
    elif event.how == "forged":
        _change(path, forge(pack))
    else:
        _damage(path, event.how)
    return {pack}


def tear(store: Path, segments: Sequence[SegmentId], event: Tear) -> None:
    """Damage one of some segments, if there is one."""
    if segments:
        segment = segments[event.which % len(segments)]
        _damage(store / segment_path(segment), event.how)


def _damage(path: Path, how: str) -> None:
    """Have a file lose its end, or a bit of it be another one."""
    data = path.read_bytes()
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    _change(path, data[:-9] if how == "short" else flipped)


def _change(path: Path, data: bytes) -> None:
    written_s = path.stat().st_mtime
    overwrite(path, data)
    os.utime(path, (written_s, written_s))
