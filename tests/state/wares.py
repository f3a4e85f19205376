"""What the runners have to share: a few small wheels, of which all is known beforehand."""

import random
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.cachetree import (
    CPYTHON,
    Files,
    Planned,
    formats_of,
    make_files,
    plan,
)
from tests.support.packing import pack_tree
from tests.support.records import digest_of
from wheelferry.ops.convert import encode_record
from wheelferry.pack.pool import Pool
from wheelferry.store.record import Digest, Identity
from wheelferry.store.tombstones import Ban
from wheelferry.uvcache.entry import Kind

OLD = "wheels-v6/map"
"""A format that has a newer one."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ware:
    """An entry, and what it is in the store.

    Attributes:
        planned: How it looks in a cache.
        identity: Of its record.
        pack: Digest of the pack of its tree.
        size_bytes: Of that pack.
    """

    planned: Planned
    identity: Identity
    pack: Digest
    size_bytes: int

    @property
    def name(self) -> str:
        """The package's."""
        return self.planned.info.name

    def __repr__(self) -> str:
        return self.label

    def _repr_pretty_(self, printer: Any, cycle: object) -> None:
        """Be short in what hypothesis prints."""
        del cycle
        printer.text(self.label)

    @property
    def label(self) -> str:
        """Name it in a message."""
        info = self.planned.info
        return f"{info.name} {info.version} {info.format_id}"


def _files(name: str, version: str, size_bytes: int, seed: object) -> Files:
    # What cannot be compressed, so that sizes are what they seem.
    blob = random.Random(f"{name} {version} {seed}").randbytes(size_bytes)
    return make_files(name, version, blob=(blob, False))


def _plan_all() -> list[Planned]:
    planned = [
        plan(name, version=version, files=_files(name, version, size_bytes, 0))
        for name, version, size_bytes in (
            ("click", "1.0", 1900),
            ("evil", "1.0", 1200),
            ("evil", "2.0", 1400),
        )
    ]
    # For two uv versions, with one pack: the second promoter leaves it out.
    for name, size_bytes in (
        ("attrs", 1000),
        ("black", 2600),
        ("devpi", 700),
        ("flask", 2200),
        ("gunicorn", 1500),
    ):
        files = _files(name, "1.0", size_bytes, 0)
        planned += [plan(name, files=files), plan(name, files=files, format_id=OLD)]
    built = _files("built", "1.0", 1600, 0)
    planned += [
        plan("built", Kind.REGISTRY_SDIST, files=built, tags=CPYTHON),
        plan("old", files=_files("old", "1.0", 900, 0), format_id=OLD),
        *(plan(f"last{n}", files=_files(f"last{n}", "1.0", 800, 0)) for n in range(3)),
    ]
    return planned


def _make(planned: Planned) -> Ware:
    data = _pack(planned.files)
    record = encode_record(
        planned.info, pack="", pack_bytes=0, tree_bytes=0, tree_files=0
    )
    return Ware(planned, record.identity, digest_of(data), len(data))


def _pack(files: Files) -> bytes:
    with tempfile.TemporaryDirectory(prefix="wheelferry-") as spool, Pool(1) as pool:
        return pack_tree(files, Path(spool), pool)


WARES = tuple(map(_make, _plan_all()))
DRAWN, LAST = WARES[:-3], WARES[-3:]
"""What jobs use, and what is left for the end of a test, one for each runner."""

FORMATS = formats_of([ware.planned for ware in WARES])
BY_IDENTITY: Mapping[str, Ware] = {ware.identity: ware for ware in WARES}
PACKS: Mapping[str, Ware] = {ware.pack: ware for ware in WARES}
TWINS = [ware for ware in DRAWN if sum(other.pack == ware.pack for other in DRAWN) > 1]
"""Those that share their pack with another one."""

TOTAL_BYTES = sum({ware.pack: ware.size_bytes for ware in WARES}.values())

BANS = (Ban("evil", "1.0"), Ban("evil", ""), Ban("flask", ""), Ban("built", "1.0"))


@cache
def forge(pack: Digest) -> bytes:
    """Return a pack that is whole, and has the sizes of another one, but not its bytes.

    Nothing but its digest tells that it is not what its name says.
    """
    info = PACKS[pack].planned.info
    blob, _ = PACKS[pack].planned.files[f"{info.name}/blob"]
    for seed in count(1):
        data = _pack(_files(info.name, info.version, len(blob), seed))
        if len(data) == PACKS[pack].size_bytes:
            return data
    raise AssertionError
