"""Names and paths inside a store: made here, and checked here when they are read back.

Pure.  Every path is relative to the store's root, with `/`.  A name in a listing that
its `parse_*` function refuses is not ours, or is not committed yet: listings skip it.
"""

import re
from typing import Final

from wheelferry.errors import ConfigError, RecordMalformed
from wheelferry.store.record import Digest, SegmentId

FORMAT_VERSION: Final = 1
"""Of the directory as a whole; segments and packs carry versions of their own."""

INFO: Final = "wheelferry.json"
README: Final = "README"
OBJECTS: Final = "objects"
CATALOG: Final = "catalog"
USAGE: Final = "usage"
STAGING: Final = "staging"
TRASH: Final = "trash"
QUARANTINE: Final = "quarantine"

PREFIXES: Final = tuple(f"{number:02x}" for number in range(256))
"""Names of the directories under `objects/`."""

DIRECTORIES: Final = (
    OBJECTS,
    *(f"{OBJECTS}/{prefix}" for prefix in PREFIXES),
    CATALOG,
    USAGE,
    STAGING,
    TRASH,
    QUARANTINE,
)
"""All directories of a store, parents first."""

TOP_LEVEL: Final = frozenset(
    {INFO, README, OBJECTS, CATALOG, USAGE, STAGING, TRASH, QUARANTINE}
)

MAX_RUNNER_CHARS: Final = 64
MAX_TIME_S: Final = 9_999_999_999
"""Of a name in `trash/` or `quarantine/`, in seconds since the epoch: the year 2286."""
MAX_SEGMENT_BYTES: Final = 32 << 20
"""A segment is read into memory as a whole; its other limits are its format's."""

SEGMENT_SUFFIX: Final = ".seg"
REASON_SUFFIX: Final = ".json"
STAGED_SUFFIX: Final = ".tmp"
TRIAL_SUFFIX: Final = ".try"
USAGE_SUFFIX: Final = ".use"
NEW_USAGE: Final = ".new"
"""Mark of a usage file whose runner may not know yet that it has written it."""

OLD_USAGE: Final = ".old"
"""Mark of a usage file that somebody has claimed, to carry it on."""


# Compiled when they are used: a run that needs none of them saves a millisecond.
_DIGEST = r"(?a)[0-9a-f]{64}"
_UUID = r"(?a)[0-9a-f]{32}"
_RUNNER = r"(?a)[A-Za-z0-9_][A-Za-z0-9._-]{0,63}"
_USAGE = r"(?a)[A-Za-z0-9_][A-Za-z0-9._-]{0,63}\.[0-9a-f]{16}(\.new|\.old)?"
_TRASHED = r"(?a)([0-9]{10})-([0-9a-f]{64})"
_QUARANTINED = r"(?a)([0-9]{10})-([0-9a-f]{64})(\.seg)?(\.json)?"
# What file servers and filesystems put into the root of an export by themselves.
_SERVER_OWNED = r"(?a)lost\+found|\.snapshots?|\.zfs|\.nfs[0-9a-f]+"
_FOREIGN = r"(?a)[^A-Za-z0-9._-]+"


def parse_digest(text: str) -> Digest | None:
    """Return `text` as a digest, or None if it is not one."""
    return Digest(text) if re.fullmatch(_DIGEST, text) else None


def check_digest(text: str) -> Digest:
    """Return `text` as a digest; raise RecordMalformed if it is not one."""
    digest = parse_digest(text)
    if digest is None:
        raise RecordMalformed(f"{text[:80]!r} is not a SHA-256 in lower-case hex")
    return digest


def is_server_owned(name: str) -> bool:
    """Return whether a file server may have made that name in the root by itself."""
    return re.fullmatch(_SERVER_OWNED, name) is not None


def is_top_level(name: str) -> bool:
    """Return whether a name in the root is ours, or the file server's."""
    return name in TOP_LEVEL or is_server_owned(name)


def is_store_id(text: str) -> bool:
    """Return whether `text` can be the id of a store: 32 lower-case hex digits."""
    return re.fullmatch(_UUID, text) is not None


def is_runner(text: str) -> bool:
    """Return whether `text` can be the name of a runner's directory."""
    return re.fullmatch(_RUNNER, text) is not None


def sanitise_runner(text: str) -> str:
    """Return a runner name for `text`, such as a host name.

    Characters other than `A-Z a-z 0-9 . _ -` become `-`, and at most
    MAX_RUNNER_CHARS are kept.

    Raises:
        ConfigError: Nothing usable is left.
    """
    name = re.sub(_FOREIGN, "-", text).lstrip(".-")[:MAX_RUNNER_CHARS]
    if not is_runner(name):
        raise ConfigError(
            f"{text!r} cannot be made into a runner name",
            hint="use letters, digits, `.`, `_` and `-`, as in `runner-07`",
        )
    return name


def object_directory(digest: Digest) -> str:
    """Return the path of the directory that an object is in."""
    return f"{OBJECTS}/{check_digest(digest)[:2]}"


def object_path(digest: Digest) -> str:
    """Return the path of an object."""
    return f"{object_directory(digest)}/{digest}"


def parse_object_name(prefix: str, name: str) -> Digest | None:
    """Return the digest that a name in `objects/<prefix>/` stands for, or None."""
    digest = parse_digest(name)
    return digest if digest is not None and digest.startswith(prefix) else None


def segment_path(segment: SegmentId) -> str:
    """Return the path of a segment."""
    check_digest(segment)
    return f"{CATALOG}/{segment}{SEGMENT_SUFFIX}"


def trash_path(digest: Digest, since_s: int) -> str:
    """Return the path of an object that was removed at a time of the server's clock.

    Times that do not fit into ten digits are those of a clock that is broken.
    """
    return f"{TRASH}/{_when(since_s)}-{check_digest(digest)}"


def parse_trash_name(name: str) -> tuple[Digest, int] | None:
    """Return the object that a name in `trash/` stands for, and its time, or None."""
    match = re.fullmatch(_TRASHED, name)
    return None if match is None else (Digest(match[2]), int(match[1]))


def quarantine_path(name: str, since_s: int, *, is_segment: bool) -> str:
    """Return the path of what was found damaged at a time of the server's clock.

    `name` is the digest of an object, or a segment.  The reason is beside it, under the
    same name and REASON_SUFFIX.
    """
    suffix = SEGMENT_SUFFIX if is_segment else ""
    return f"{QUARANTINE}/{_when(since_s)}-{check_digest(name)}{suffix}"


def parse_quarantine_name(name: str) -> tuple[str, int, bool, bool] | None:
    """Return what a name in `quarantine/` stands for, or None.

    That is the digest or the segment, its time, whether it is a segment, and whether the
    file is the reason for it.
    """
    match = re.fullmatch(_QUARANTINED, name)
    if match is None:
        return None
    return match[2], int(match[1]), match[3] is not None, match[4] is not None


def usage_name(runner: str, unique: str) -> str:
    """Return the name of a usage file; `unique` are 16 random hex digits.

    So no two have one name, also where machines were cloned and runners are called alike.
    """
    return f"{runner}.{unique}"


def is_usage_name(text: str) -> bool:
    """Return whether `text` can be the name of a usage file."""
    return re.fullmatch(_USAGE, text) is not None


def usage_path(name: str) -> str:
    """Return the path of a usage file; raise RecordMalformed if none can be called so."""
    if not is_usage_name(name):
        raise RecordMalformed(f"{name[:80]!r} is not the name of a usage file")
    return f"{USAGE}/{name}{USAGE_SUFFIX}"


def mark_usage(name: str, mark: str) -> str:
    """Return the name that a usage file has in a state: one of the marks, or "".

    Without a mark anyone of its runner's name may carry it on.
    """
    return f"{name.removesuffix(usage_mark(name))}{mark}"


def usage_mark(name: str) -> str:
    """Return the mark in the name of a usage file; "" if it has none."""
    return name[-len(NEW_USAGE) :] if name.endswith((NEW_USAGE, OLD_USAGE)) else ""


def usage_runner(name: str) -> str:
    """Return the runner that wrote a usage file of that name."""
    return mark_usage(name, "").rpartition(".")[0]


def parse_usage_name(name: str) -> str | None:
    """Return the usage file that a name in `usage/` stands for, or None."""
    stem = name.removesuffix(USAGE_SUFFIX)
    return stem if stem != name and is_usage_name(stem) else None


def parse_segment_name(name: str) -> SegmentId | None:
    """Return the segment that a name in `catalog/` stands for, or None."""
    stem = name.removesuffix(SEGMENT_SUFFIX)
    if stem == name or not re.fullmatch(_DIGEST, stem):
        return None
    return SegmentId(stem)


def staging_directory(runner: str) -> str:
    """Return the path of a runner's own directory in `staging/`."""
    return f"{STAGING}/{runner}"


def staged_path(runner: str, unique: str) -> str:
    """Return the path of a temporary file; `unique` is a UUID's 32 hex digits."""
    return f"{STAGING}/{runner}/{unique}{STAGED_SUFFIX}"


def trial_path(runner: str, unique: str) -> str:
    """Return the path of a folder to try the share in; `unique` as in `staged_path`."""
    return f"{STAGING}/{runner}/{unique}{TRIAL_SUFFIX}"


def parse_staged_path(path: str) -> tuple[str, str] | None:
    """Return runner and name of a temporary file or folder, or None if it is neither."""
    top, _, rest = path.partition("/")
    runner, _, name = rest.partition("/")
    if top != STAGING or not is_runner(runner):
        return None
    return (runner, name) if is_staged_name(name) or is_trial_name(name) else None


def is_staged_name(name: str) -> bool:
    """Return whether a name in `staging/<runner>/` is of one of our temporary files."""
    return _is_unique(name, STAGED_SUFFIX)


def is_trial_name(name: str) -> bool:
    """Return whether a name in `staging/<runner>/` is of a folder to try the share in."""
    return _is_unique(name, TRIAL_SUFFIX)


def _when(since_s: int) -> str:
    return f"{min(max(since_s, 0), MAX_TIME_S):010}"


def _is_unique(name: str, suffix: str) -> bool:
    stem = name.removesuffix(suffix)
    return stem != name and re.fullmatch(_UUID, stem) is not None
