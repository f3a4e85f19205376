"""uv: which versions there are, and do their settings go together with ours?

Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wheelferry.doctor.checks.verdict import error, info, ok, warning
from wheelferry.ops.finding import Finding
from wheelferry.uvcache.formats import (
    FORMATS,
    NEWEST_SEEN,
    Release,
    formats_for_uv,
    is_newer_format,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """One uv.

    Attributes:
        release: Its version; empty if it did not tell.
        trouble: Why not.
    """

    path: str
    release: Release = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UvFacts:
    """What was found of uv.

    Attributes:
        paths: Where it was looked for.
        binaries: In the order of `paths`: a job runs the first.
        versions: `uv.versions`, which count in place of those found.
        cache: `cache.path`.
        origin: The file, variable or flag that sets it; "" for what uv has.
        said: What the first uv says outside of projects; "" if it was not asked.
        said_there: What it says in the workspace.
        trouble: Why it does not say it.
        link_mode, no_cache: Value and origin of uv's settings.
        unknown: Buckets and shapes of the cache that are in no known format.
    """

    paths: tuple[str, ...]
    binaries: tuple[Binary, ...]
    versions: tuple[str, ...]
    cache: str
    origin: str
    workspace: str
    said: str
    said_there: str
    trouble: str
    link_mode: tuple[str, str]
    no_cache: tuple[str, str]
    unknown: tuple[str, ...]


def judge_uv(facts: UvFacts) -> Iterator[Finding]:
    """Yield the findings on uv."""
    yield _judge_link_mode(facts)
    yield _judge_no_cache(facts)
    yield from _judge_versions(facts)
    yield from _judge_cache_dir(facts)
    yield from _judge_formats(facts)


def _judge_link_mode(facts: UvFacts) -> Finding:
    mode, origin = facts.link_mode
    check = "link-mode"
    if mode == "copy":
        return warning(
            check,
            origin,
            "uv is told to copy files out of the cache",
            meaning="each environment takes its full size on the disk, and the time to"
            " write that",
            hint=f"take it out of {origin}: uv then clones or hardlinks where it can, and"
            " copies where it cannot",
        )
    if mode == "symlink":
        return warning(
            check,
            origin,
            "uv is told to make symlinks into the cache",
            meaning="environments break when uv prunes or cleans the cache",
            hint=f"take it out of {origin}, or say `hardlink` there",
        )
    return ok(check, origin or "uv", mode or "as uv chooses: clones or hardlinks")


def _judge_no_cache(facts: UvFacts) -> Finding:
    value, origin = facts.no_cache
    if value:
        return error(
            "no-cache",
            origin,
            "uv is told to use no cache",
            meaning="jobs use nothing of what was pulled, and leave nothing to promote",
            hint=f"take it out of {origin}",
        )
    return ok("no-cache", "uv", "uv uses its cache")


def _judge_versions(facts: UvFacts) -> Iterator[Finding]:
    check = "uv"
    for binary in facts.binaries:
        if binary.trouble:
            yield warning(
                check,
                binary.path,
                f"it does not tell its version: {binary.trouble}",
                meaning="pull cannot know which cache formats to restore for it",
                hint=f"`{binary.path} --version` shows what it does; set uv.versions or"
                " uv.paths in /etc/wheelferry/config.toml",
            )
        elif not formats_for_uv(binary.release):
            yield error(
                check,
                binary.path,
                f"uv {_spell(binary.release)} is older than {_spell(_oldest())}",
                meaning="its cache formats are not known: nothing of it is shared",
                hint="upgrade uv",
            )
        elif binary.release > NEWEST_SEEN:
            yield info(
                check,
                binary.path,
                f"uv {_spell(binary.release)} is newer than the newest that this"
                f" wheelferry was tried with ({_spell(NEWEST_SEEN)})",
                meaning="if it has changed its cache, the new format is left alone, and"
                " named here and by each pull",
                hint="upgrade wheelferry when there is a version that knows it",
            )
        else:
            yield ok(check, binary.path, f"uv {_spell(binary.release)}")
    found = {binary.release for binary in facts.binaries if binary.release}
    if len(found) > 1:
        versions = ", ".join(map(_spell, sorted(found)))
        yield info(
            check,
            ", ".join(binary.path for binary in facts.binaries),
            f"several versions: {versions}; a job that just says `uv` runs"
            f" {facts.binaries[0].path}",
            meaning="pull restores for all of them, each in its format",
            hint="set uv.versions to those that jobs use, if these are too many",
        )
    if not facts.binaries and not facts.versions:
        yield warning(
            check,
            ":".join(facts.paths),
            "there is no uv",
            meaning="pull restores for the formats that the cache has, and into an empty"
            " one for all",
            hint="install uv; or, where jobs bring their own, set uv.paths or uv.versions"
            " in /etc/wheelferry/config.toml",
        )
    elif not facts.binaries:
        yield ok(check, "uv.versions", f"no uv here; for {', '.join(facts.versions)}")


def _judge_cache_dir(facts: UvFacts) -> Iterator[Finding]:
    check = "cache-dir"
    if facts.trouble:
        yield error(
            check,
            facts.binaries[0].path,
            f"uv does not say where its cache is: {facts.trouble}",
            meaning="jobs that run this uv fail in the same way",
            hint="mend what it names; `uv cache dir` shows it again",
        )
    elif not facts.said:
        yield info(
            check,
            facts.cache,
            "no uv here could be asked where its cache is",
            hint="compare `uv cache dir` in a job with `wheelferry config show`",
        )
    elif facts.said != facts.cache:
        yield error(
            check,
            facts.cache,
            f"uv uses {facts.said}, wheelferry {facts.cache}"
            f" ({facts.origin or 'as it understands uv'})",
            meaning="what is pulled is not where jobs look, and what they cache is not"
            " promoted",
            hint=f"set cache.path to {facts.said}, or uv to {facts.cache}: UV_CACHE_DIR,"
            ' or cache-dir = "..." in /etc/uv/uv.toml; leave cache.path out to follow uv',
        )
    elif facts.said_there != facts.said:
        yield warning(
            check,
            facts.workspace,
            f"in this project uv uses {facts.said_there}, elsewhere {facts.said}",
            meaning="jobs of this project use nothing of what was pulled: wheelferry"
            " reads no settings of projects",
            hint="take cache-dir out of the project's uv.toml or pyproject.toml, or set"
            " UV_CACHE_DIR for its jobs, to an absolute path",
        )
    else:
        yield ok(check, facts.cache, "uv and wheelferry use the same")


def _judge_formats(facts: UvFacts) -> Iterator[Finding]:
    check = "cache-formats"
    for name in facts.unknown:
        make = error if is_newer_format(name) else warning
        yield make(
            check,
            name,
            "it is in a format that this wheelferry does not know",
            meaning="its entries are not shared",
            hint="upgrade wheelferry"
            if is_newer_format(name)
            else "`uv cache prune` removes what no uv uses any more",
        )
    if not facts.unknown:
        yield ok(check, facts.cache, "all are known")


def _oldest() -> Release:
    return min(row.first for row in FORMATS)


def _spell(release: Sequence[int]) -> str:
    return ".".join(map(str, release))
