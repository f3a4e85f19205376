"""The one table of settings: files, variables, flags and the reference follow from it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from wheelferry.config.values import (
    AGE,
    DURATION,
    INDEXES,
    KINDS,
    NATIVE,
    PATH,
    PATHS,
    PATTERNS,
    PORT,
    PYTHONS,
    RATE,
    RUNNER,
    SIZE,
    STORE_ID,
    TASKS,
    TEXTFILE,
    VERSIONS,
    Value,
    ValueKind,
)


class Option(NamedTuple):
    """One setting.

    Named tuples here and in `model`, not dataclasses: making a frozen dataclass with
    slots costs about 0.8 ms, and a run of `pull` pays for each.

    Attributes:
        key: As in a file: `section.name`.
        kind: Of its value.
        default: In words, for the reference.
        help: One sentence without its full stop, for the reference and for `--help`.
        flag: On the command line, if it has one.
        is_protected: Whether the system file's value is final.  So it is for all that
            says where data goes, whom to trust and what is shared: a job must not be
            able to change that by its environment.
        own_example: As TOML, where that of its kind does not fit.
        constant: The default, where it is always the same and not "unset".
    """

    key: str
    kind: ValueKind
    default: str
    help: str
    flag: str | None = None
    is_protected: bool = True
    own_example: str = ""
    constant: Value = None

    @property
    def example(self) -> str:
        """A value, as TOML."""
        return self.own_example or self.kind.example

    @property
    def variable(self) -> str:
        """The environment variable's name."""
        return f"WHEELFERRY_{self.key.replace('.', '_').upper()}"


def _rules(verb: str, done: str) -> tuple[Option, ...]:
    return (
        Option(
            key=f"{verb}.include",
            kind=PATTERNS,
            default="every package",
            help=f"Packages to {verb}",
            flag="--include",
        ),
        Option(
            key=f"{verb}.exclude",
            kind=PATTERNS,
            default="none",
            help=f"Packages that are never {done}, even if included",
            flag="--exclude",
        ),
        Option(
            key=f"{verb}.include_indexes",
            kind=INDEXES,
            default="every index",
            help=f"Indexes whose packages are {done}",
        ),
        Option(
            key=f"{verb}.exclude_indexes",
            kind=INDEXES,
            default="none",
            help=f"Indexes, such as private ones, whose packages are never {done}",
        ),
        Option(
            key=f"{verb}.kinds",
            kind=KINDS,
            default="every kind",
            help=f"Kinds of entries to {verb}",
        ),
    )


_TABLE: Final = (
    Option(
        key="store.path",
        kind=PATH,
        default="none; a store must be named",
        help="Directory of the store, usually on an NFS mount",
        flag="--store",
    ),
    Option(
        key="store.id",
        kind=STORE_ID,
        default="any store that is found there",
        help="Id that the store must have; with another one it counts as away",
    ),
    Option(
        key="store.timeout",
        kind=DURATION,
        default="30s",
        help=(
            "How long the store may give no sign of life before it is given up, and left"
            " alone by the next jobs for a while"
        ),
        constant=30,
    ),
    Option(
        key="cache.path",
        kind=PATH,
        default=(
            "`$UV_CACHE_DIR`, else `cache-dir` of uv's own file, else"
            " `$XDG_CACHE_HOME/uv`, else `~/.cache/uv`"
        ),
        help="Root of the local uv cache",
        flag="--cache",
        own_example='"/var/cache/ci/uv"',
    ),
    Option(
        key="cache.state",
        kind=PATH,
        default="`<cache.path>.wheelferry`",
        help=(
            "Directory for this runner's own files; on the cache's filesystem, and"
            " outside the cache"
        ),
        flag="--state",
        own_example='"/var/cache/ci/wheelferry"',
    ),
    Option(
        key="runner.name",
        kind=RUNNER,
        default="the host's name",
        help="Name of this runner in the store; no two users may share one",
        flag="--runner",
    ),
    Option(
        key="uv.versions",
        kind=VERSIONS,
        default="those found in `uv.paths`, and the formats already in the cache",
        help="uv versions to restore entries for",
        flag="--uv-version",
        is_protected=False,
    ),
    Option(
        key="uv.paths",
        kind=PATHS,
        default="`$PATH`",
        help="Directories to look for uv in; what is found there is run",
    ),
    Option(
        key="python.versions",
        kind=PYTHONS,
        default="those found in `python.paths`",
        help="Versions of Python that wheels have to fit, also where they are not installed",
        flag="--python",
        is_protected=False,
    ),
    Option(
        key="python.paths",
        kind=PATHS,
        default="`$PATH`, and where `uv python install` puts them",
        help="Directories to look for Python in; what is found there is run",
        own_example='["/usr/bin", "/opt/python3.13/bin"]',
    ),
    *_rules("promote", "promoted"),
    Option(
        key="promote.deadline",
        kind=DURATION,
        default="none; a promotion takes what it needs",
        help=(
            "How long a promotion after a job may take; what is not in the store by then"
            " is left for the next one"
        ),
        flag="--deadline",
        is_protected=False,
    ),
    Option(
        key="promote.limit_rate",
        kind=RATE,
        default="no limit",
        help="How much one promotion may write to the store in a second",
        flag="--limit-rate",
        is_protected=False,
    ),
    *_rules("pull", "restored"),
    Option(
        key="pull.native",
        kind=NATIVE,
        default="checked",
        help=(
            "Natively built wheels to restore: those that need nothing that this machine"
            " lacks, of these the ones that were built on its distribution release, or"
            " none"
        ),
        constant="checked",
    ),
    Option(
        key="pull.deadline",
        kind=DURATION,
        default="30s",
        help="How long a pull may take; what it has by then is used, the rest is left",
        flag="--deadline",
        is_protected=False,
        constant=30,
    ),
    Option(
        key="pull.max_bytes",
        kind=SIZE,
        default="no limit",
        help="How much one pull may read from the store; what is beyond is left",
        flag="--max-bytes",
        is_protected=False,
    ),
    Option(
        key="pull.limit_rate",
        kind=RATE,
        default="no limit",
        help="How much one pull may read from the store in a second",
        flag="--limit-rate",
        is_protected=False,
    ),
    Option(
        key="trim.max_size",
        kind=SIZE,
        default="no limit; nothing is trimmed",
        help=(
            "How large the local cache may be on the disk; what was used least recently"
            " is removed until a tenth of this is free"
        ),
        flag="--max-size",
        is_protected=False,
        own_example='"20G"',
    ),
    Option(
        key="daemon.tasks",
        kind=TASKS,
        default="all; `gc` only with a budget",
        help="What the daemon does by itself",
    ),
    Option(
        key="daemon.poll",
        kind=DURATION,
        default="10s",
        help="How often the daemon looks whether the store has changed; 2 RPCs each time",
        constant=10,
    ),
    Option(
        key="daemon.rescan",
        kind=DURATION,
        default="10m",
        help="How often the daemon compares all of the cache with all of the store",
        own_example='"10m"',
        constant=600,
    ),
    Option(
        key="daemon.socket",
        kind=PATH,
        default="none; the daemon listens nowhere",
        help=(
            "Unix socket on which the daemon takes requests to pull for a project, from"
            " containers that have it mounted"
        ),
        own_example='"/run/wheelferry/gitlab-runner/socket"',
    ),
    Option(
        key="daemon.projects",
        kind=PATHS,
        default="none; every request is refused",
        help="Directories in which a project must be, for the daemon to pull for it",
        own_example='["/srv/ci/builds"]',
    ),
    Option(
        key="daemon.metrics_port",
        kind=PORT,
        default="none; the daemon listens on no port",
        help=(
            "Port of the loopback on which the daemon has figures for Prometheus, at"
            " `/metrics`; no two daemons of a host may share one"
        ),
    ),
    Option(
        key="daemon.textfile",
        kind=TEXTFILE,
        default="none; the daemon writes no such file",
        help=(
            "File in which the daemon has the same figures, for the textfile collector of"
            " node_exporter; no two daemons of a host may share one"
        ),
    ),
    Option(
        key="gc.max_size",
        kind=SIZE,
        default="no limit",
        help=(
            "How large the store's packs may be together; beyond it those go that no runner"
            " has needed for the longest time"
        ),
        flag="--max-size",
        is_protected=False,
        own_example='"200G"',
    ),
    Option(
        key="gc.max_age",
        kind=AGE,
        default="no limit",
        help="How long a pack stays that no runner needs",
        flag="--max-age",
        is_protected=False,
    ),
    Option(
        key="gc.keep_free",
        kind=SIZE,
        default="no limit",
        help=(
            "How much of the share is to be free; for this, nothing goes that a runner"
            " needed within the grace"
        ),
        flag="--keep-free",
        is_protected=False,
        own_example='"50G"',
    ),
    Option(
        key="gc.grace",
        kind=AGE,
        default="1d",
        help="How long what was removed can be had back, before its room is free",
        flag="--grace",
        is_protected=False,
        own_example='"2d"',
        constant=24 * 3600,
    ),
    Option(
        key="gc.interval",
        kind=DURATION,
        default="1h",
        help=(
            "How often the daemon looks whether there is something to remove, give or take"
            " a half; a dozen RPCs if there is not"
        ),
        own_example='"1h"',
        constant=3600,
    ),
)

OPTIONS: Final[Mapping[str, Option]] = MappingProxyType(
    {option.key: option for option in _TABLE}
)
"""All settings by key, in the order of the reference."""
