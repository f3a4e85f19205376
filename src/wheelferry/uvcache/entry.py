"""What an entry of uv's cache is, apart from where one runner happened to put it.

Pure: values only.  An entry's identity holds nothing that differs between two runners
that cached the same thing: no archive id, no revision id, no cache policy.
"""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """Where a wheel came from; decides which files make up its entry."""

    REGISTRY_WHEEL = "registry-wheel"
    URL_WHEEL = "url-wheel"
    REGISTRY_SDIST = "registry-sdist"
    URL_SDIST = "url-sdist"
    GIT = "git"

    @property
    def is_built(self) -> bool:
        """Whether uv built this wheel itself, and so kept its `.whl`."""
        return self not in (Kind.REGISTRY_WHEEL, Kind.URL_WHEEL)

    @property
    def has_pointer(self) -> bool:
        """Whether a pointer file (`.http` or `revision.http`) names the content."""
        return self is not Kind.GIT


class EntryKey(NamedTuple):
    """The place of an entry in any uv cache of one format.

    Attributes:
        kind: Where the wheel came from.
        shard: Directory below the bucket, with `/`: for downloaded wheels
            `pypi/<name>`, `index/<key>/<name>` or `url/<key>/<name>`; for built ones
            `pypi/<name>/<version>`, `index/<key>/<name>/<version>`, `url/<key>` or
            `git/<key>/<commit, 16 hex>`; never the revision id.
        settings: The shard of 16 hex digits that uv derives from build settings
            (config settings, extra build dependencies and variables); "" if none.
        stem: File name below that without a suffix, as that uv writes it: such as
            `2.0.0-py3-none-any` (pointer of uv 0.6 and later) or
            `docopt-0.6.2-py2.py3-none-any` (built wheel, or pointer of uv 0.5).
    """

    kind: Kind
    shard: str
    settings: str
    stem: str

    def __str__(self) -> str:
        """Return the key as one path, for people and for the catalog."""
        return "/".join(filter(None, (self.shard, self.settings, self.stem)))


class Hash(NamedTuple):
    """A digest that uv recorded for the file that it downloaded.

    Attributes:
        algorithm: Lower case, such as `sha256`.
        value: Lower-case hex.
    """

    algorithm: str
    value: str

    def __str__(self) -> str:
        """Return it as lock files write it, `sha256:...`."""
        return f"{self.algorithm}:{self.value}"


class EntryInfo(NamedTuple):
    """All of an entry but its archive tree: what a catalog record carries of it.

    Attributes:
        format_id: Id of a row of `formats.FORMATS`, such as `wheels-v8/array5`.
        key: Its place in a cache of that format.
        name: Normalised package name (PEP 503).
        version: As in the wheel's file name, unescaped.
        tags: Python, ABI and platform tags as in the file name, `py3-none-any`.
        hashes: What uv recorded for the downloaded wheel, or for the sdist that the
            wheel was built from; empty where the index gave none, and for git.
        size_bytes: Of the downloaded file, where that uv records it.
        pointer: Bytes of the `.http` or `revision.http`; b"" for git.
        metadata: Bytes of the wheel's `.msgpack`, or of the built `metadata.msgpack`;
            b"" if that runner had none.
    """

    format_id: str
    key: EntryKey
    name: str
    version: str
    tags: str
    hashes: tuple[Hash, ...]
    size_bytes: int | None
    pointer: bytes
    metadata: bytes

    @property
    def is_native(self) -> bool:
        """Whether uv built it itself, for machines like the one that it was built on."""
        return self.key.kind.is_built and not self.tags.endswith("-any")

    @property
    def shortcoming(self) -> str:
        """Why jobs can make little use of it; "" if they can."""
        if self.key.kind.has_pointer and not self.hashes:
            return (
                "uv recorded no digest of its file, so `uv sync` downloads it again"
                " wherever the lock has one"
            )
        return ""
