"""The paths that an entry's parts have in one cache; `steps` puts them there.

Pure.  Built only for entries that passed `recordcheck.check_restorable`.  Paths are `str`
below the root: thousands are made per pull, and `Path` costs ten times as much.
"""

from typing import NamedTuple

from wheelferry.uvcache.entry import EntryInfo
from wheelferry.uvcache.seahash import cache_digest

ARCHIVES = "archive-v0"


class Place(NamedTuple):
    """Paths relative to the cache root, with `/`.

    Attributes:
        shard: Directory of the pointer, and of the sdist's `.lock`.
        home: Directory of the link and what belongs to it; the shard itself, or a
            revision below it, or a settings shard below that.
        revision_id: Of a built wheel's revision; "" where there is none.
        pointer: "" for git.
        link: To the archive.
        wheel: The built `.whl`; "" for downloaded ones.
        metadata: The wheel's `.msgpack`, or the `metadata.msgpack` of a build.
    """

    shard: str
    home: str
    revision_id: str
    pointer: str
    link: str
    wheel: str
    metadata: str


def find_place(bucket: str, info: EntryInfo, revision_id: str = "") -> Place:
    """Return where an entry belongs; a build from an index or URL needs its revision."""
    key = info.key
    shard = f"{bucket}/{key.shard}"
    if not key.kind.is_built:
        link = f"{shard}/{key.stem}"
        return Place(
            shard=shard,
            home=shard,
            revision_id="",
            pointer=f"{link}.http",
            link=link,
            wheel="",
            metadata=f"{link}.msgpack",
        )
    home = "/".join(filter(None, (shard, revision_id, key.settings)))
    link = f"{home}/{key.stem}"
    return Place(
        shard=shard,
        home=home,
        revision_id=revision_id,
        pointer=f"{shard}/revision.http" if key.kind.has_pointer else "",
        link=link,
        wheel=f"{link}.whl",
        metadata=f"{home}/metadata.msgpack",
    )


def new_revision_id(info: EntryInfo) -> str:
    """Return the id of the revision that we make where a cache has none.

    It follows from the sdist, so that the wheels of several interpreters meet in one
    revision, and a restore that was killed is completed by the next one.  16 characters
    from uv's alphabet: older ones take any id, uv 0.13 ignores a revision with another.
    """
    return cache_digest("\0".join((info.key.shard, *sorted(map(str, info.hashes)))))


def link_content(place: Place, archive_id: str, *, root: str, relative: bool) -> str:
    """Return what the link of an entry says, in the style of the uv that reads it.

    Args:
        place: The entry's.
        archive_id: What it shall lead to.
        root: Absolute path of the cache, for links that are not `relative`.
        relative: As uv writes it from 0.11.17 on.
    """
    if relative:
        return "../" * (place.home.count("/") + 1) + f"{ARCHIVES}/{archive_id}"
    return f"{root}/{ARCHIVES}/{archive_id}"
