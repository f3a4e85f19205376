"""See what of an entry a cache has already, and what it would take to have all of it.

Reads only, and follows links as uv does.  It runs for every record that a job may need,
so an entry costs a few stats and one small read.  What is said of a cache that uv is
working on may be out of date at once: `restore` looks again under the locks.
"""

import os
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from wheelferry.uvcache.archive import find_record
from wheelferry.uvcache.entry import EntryInfo, Hash
from wheelferry.uvcache.formats import Format, find_format
from wheelferry.uvcache.place import ARCHIVES, Place, find_place, new_revision_id
from wheelferry.uvcache.pointer import (
    MAX_POINTER_BYTES,
    Pointer,
    PointerMalformed,
    decode_pointer,
)
from wheelferry.uvcache.reading import read_small
from wheelferry.uvcache.wheelname import normalise_name

_NO_DIGESTS = "the cache has its sdist, and no digests to compare"
_LOCAL_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


class Part(StrEnum):
    """The parts of an entry."""

    ARCHIVE = "archive"
    LINK = "link"
    POINTER = "pointer"
    WHEEL = "wheel"
    METADATA = "metadata"


class State(StrEnum):
    """What a cache has of an entry."""

    PRESENT = "present"
    MENDABLE = "mendable"
    ABSENT = "absent"
    CONFLICT = "conflict"


class Presence(NamedTuple):
    """What a cache has of an entry.

    Attributes:
        place: Where its parts are or belong; a revision that is there is respected.
        missing: Parts that are not there, or that uv cannot use.
        broken: Those of `missing` in whose place is something that may be replaced: a
            dangling link, a pointer that is empty or names no archive.
        archive_id: What the link leads to, or has to.
        reason: Why nothing may be restored here; "" if it may.
    """

    place: Place
    archive_id: str
    missing: frozenset[Part] = frozenset()
    broken: frozenset[Part] = frozenset()
    reason: str = ""

    @property
    def state(self) -> State:
        """Return what follows for a pull: only for ABSENT the pack is needed."""
        if self.reason:
            return State.CONFLICT
        if not self.missing:
            return State.PRESENT
        return State.ABSENT if Part.ARCHIVE in self.missing else State.MENDABLE


class Inspector:
    """Looks at many entries of one cache, and at each archive only once.

    It does not look twice at what it has seen: after a change, use a new one.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.path.abspath(root)
        self._usable: dict[tuple[str, str], bool] = {}
        self._names: dict[str, frozenset[str] | None] = {}

    def find(self, info: EntryInfo, archive_id: str) -> Presence:
        """Return what the cache has of an entry whose pack has that digest.

        The entry must have passed `recordcheck.check_key`.  An entry of uv's own, under
        another archive id, is present if it has the same digests.
        """
        format_ = find_format(info.format_id)
        if format_ is None:
            place = find_place("", info)
            reason = f"the format {info.format_id} is unknown"
            return Presence(place=place, archive_id=archive_id, reason=reason)
        look = _Look(info, format_, archive_id)
        if not self._may_have(look.place.shard):
            self._miss_all(look)
        elif info.key.kind.is_built:
            self._look_at_built(look)
        else:
            self._look_at_downloaded(look)
        return look.result()

    def has_archive(self, archive_id: str, name: str) -> bool:
        """Return whether an archive is there that uv can install that package from."""
        key = (archive_id, name)
        if key not in self._usable:
            tree = f"{self._root}/{ARCHIVES}/{archive_id}"
            self._usable[key] = find_record(tree, name) is not None
        return self._usable[key]

    def _may_have(self, path: str) -> bool:
        """Return whether there may be something: its directory is listed, once.

        A store has far more packages than a cache; each of them would be asked for.
        """
        directory, _, name = path.rpartition("/")
        if directory not in self._names:
            self._names[directory] = self._list(directory)
        names = self._names[directory]
        return names is None or name in names

    def _list(self, directory: str) -> frozenset[str] | None:
        try:
            return frozenset(os.listdir(f"{self._root}/{directory}"))
        except (FileNotFoundError, NotADirectoryError):
            return frozenset()
        except OSError:
            return None  # whoever looks for a name in it says what is wrong

    def _miss_all(self, look: "_Look") -> None:
        """Note all parts of an entry of which the cache has not even the shard."""
        look.missing.add(Part.LINK)
        if look.place.pointer:
            look.missing.add(Part.POINTER)
        if look.place.wheel:
            look.missing.add(Part.WHEEL)
        if look.info.metadata:
            look.missing.add(Part.METADATA)
        is_there = self._may_have(f"{ARCHIVES}/{look.archive_id}")
        if not (is_there and self.has_archive(look.archive_id, look.info.name)):
            look.missing.add(Part.ARCHIVE)

    def _look_at_downloaded(self, look: "_Look") -> None:
        info = look.info
        local = self._read_pointer(look)
        if local is not None:
            if self.has_archive(local.target_id, info.name):
                look.archive_id = local.target_id
                look.compare(local)
            else:
                look.miss_broken(Part.POINTER)
        if not self.has_archive(look.archive_id, info.name):
            look.missing.add(Part.ARCHIVE)
        target = self._read_link(look)
        if target is None:
            look.missing.add(Part.LINK)
        elif target != look.archive_id:
            look.miss_broken(Part.LINK)
        self._look_for_metadata(look)

    def _look_at_built(self, look: "_Look") -> None:
        info = look.info
        has_revision = False
        if look.place.pointer:
            local = self._read_pointer(look)
            if local is not None:
                look.move_to(local.target_id)
                look.compare(local)
                has_revision = True
        target = self._read_link(look)
        if target and self.has_archive(target, info.name):
            look.archive_id = target
        else:
            if target is None:
                look.missing.add(Part.LINK)
            else:
                look.miss_broken(Part.LINK)
            if not self.has_archive(look.archive_id, info.name):
                look.missing.add(Part.ARCHIVE)
            if has_revision and not info.hashes:
                look.reason = look.reason or _NO_DIGESTS
        if not self._has_wheel(look.place):
            look.missing.add(Part.WHEEL)
        self._look_for_metadata(look)

    def _look_for_metadata(self, look: "_Look") -> None:
        if look.info.metadata and not self._exists(look.place.metadata):
            look.missing.add(Part.METADATA)

    def _read_pointer(self, look: "_Look") -> Pointer | None:
        """Return a pointer that is there; note why if there is none to use."""
        try:
            data = read_small(f"{self._root}/{look.place.pointer}", MAX_POINTER_BYTES)
        except OSError as exc:
            look.reason = f"its pointer cannot be read: {exc.strerror}"
            return None
        if data is None:
            look.missing.add(Part.POINTER)
            return None
        if not data.strip(b"\0"):
            look.miss_broken(Part.POINTER)  # what a power loss leaves of a new file
            return None
        row = look.format
        try:
            pointer = decode_pointer(data, family=row.family, framing=row.framing)
        except PointerMalformed as exc:
            # Damaged, which uv heals by itself, or the work of a newer uv, which would
            # fetch it again for each job if we replaced it each time.
            look.reason = f"its pointer is in no known form: {exc}"
            return None
        if not _LOCAL_ID.fullmatch(pointer.target_id):
            look.reason = "its pointer names something that is no archive or revision"
            return None
        return pointer

    def _read_link(self, look: "_Look") -> str | None:
        """Return the archive id that a link names; "" if it leads anywhere else."""
        try:
            target = os.readlink(f"{self._root}/{look.place.link}")
        except FileNotFoundError:
            return None
        except OSError as exc:  # EINVAL: not a link
            look.reason = look.reason or f"its link cannot be read: {exc.strerror}"
            return None
        parent, _, archive_id = target.rpartition("/")
        if not _LOCAL_ID.fullmatch(archive_id):
            return ""
        archives = f"{self._root}/{ARCHIVES}"
        leads_to = os.path.join(self._root, look.place.home, parent)
        if os.path.normpath(leads_to) == archives:
            return archive_id
        same = os.path.realpath(leads_to) == os.path.realpath(archives)
        return archive_id if same else ""

    def _has_wheel(self, place: Place) -> bool:
        """Return whether the built `.whl` is there, under any spelling of its name."""
        if self._exists(place.wheel):
            return True
        wanted = normalise_name(place.wheel.rpartition("/")[2])
        try:
            names = os.listdir(f"{self._root}/{place.home}")
        except (FileNotFoundError, NotADirectoryError):
            return False
        return any(normalise_name(name) == wanted for name in names)

    def _exists(self, path: str) -> bool:
        return os.path.exists(f"{self._root}/{path}")


class _Look:
    """What was found so far of one entry."""

    def __init__(self, info: EntryInfo, format_: Format, archive_id: str) -> None:
        self.info = info
        self.format = format_
        self.archive_id = archive_id
        self.missing: set[Part] = set()
        self.broken: set[Part] = set()
        self.reason = ""
        key = info.key
        has_revision = key.kind.is_built and key.kind.has_pointer
        revision_id = new_revision_id(info) if has_revision else ""
        self.place = find_place(format_.bucket, info, revision_id)

    def move_to(self, revision_id: str) -> None:
        """Look on in a revision that is there."""
        self.place = find_place(self.format.bucket, self.info, revision_id)

    def miss_broken(self, part: Part) -> None:
        """Note that a part is there and of no use."""
        self.missing.add(part)
        self.broken.add(part)

    def compare(self, local: Pointer) -> None:
        """Note if the pointer there is for another file, or for other readers."""
        wanted, there = self.format, find_format(f"{self.format.bucket}/{local.shape}")
        if there is None or there.first > wanted.first or there.end < wanted.end:
            self.reason = (
                f"its pointer has the shape {local.shape}, which some uv with a bucket "
                f"{wanted.bucket} cannot read"
            )
        elif self.info.hashes and not local.hashes:
            self.reason = "the cache has it without digests, so nothing can be compared"
        elif not have_same(self.info.hashes, local.hashes):
            self.reason = (
                "the cache has another file under this name: "
                f"{_spell(local.hashes)} is not {_spell(self.info.hashes)}"
            )

    def result(self) -> Presence:
        """Return it as a value."""
        return Presence(
            place=self.place,
            archive_id=self.archive_id,
            missing=frozenset(self.missing),
            broken=frozenset(self.broken),
            reason=self.reason,
        )


def have_same(wanted: Iterable[Hash], local: Iterable[Hash]) -> bool:
    """Return whether two lists of digests can be of one file.

    They must share one, unless nothing is wanted; those of one algorithm must agree.
    """
    mine = {hash_.algorithm: hash_.value for hash_ in wanted}
    theirs = {hash_.algorithm: hash_.value for hash_ in local}
    common = mine.keys() & theirs.keys()
    if mine and not common:
        return False
    return all(mine[name] == theirs[name] for name in common)


def _spell(hashes: Iterable[Hash]) -> str:
    return ", ".join(map(str, hashes))
