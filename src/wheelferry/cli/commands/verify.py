"""`wheelferry verify`: is the store sound, and the local cache?"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from wheelferry.cli import exits
from wheelferry.cli.command import command
from wheelferry.cli.render_verify import (
    encode_cache,
    encode_report,
    render_cache,
    render_report,
)
from wheelferry.cli.session import Session
from wheelferry.cli.wiring import Link, connect, open_store, open_tiers
from wheelferry.config.values import AGE
from wheelferry.disk import Disk, clock
from wheelferry.errors import CacheError, CacheNotFound, IntegrityError
from wheelferry.events import Event, Level, Sink
from wheelferry.ops.verify import verify_store
from wheelferry.ops.verify_cache import verify_cache
from wheelferry.ops.verify_fix import FixReport, fix_store
from wheelferry.ops.verify_memory import Memory
from wheelferry.ops.verify_scope import Scope
from wheelferry.uvcache.owner import check_owner, check_reach

if TYPE_CHECKING:
    from wheelferry.ops.tiers import Tiers
    from wheelferry.store.base import Store

MEMORY: Final = "verified.sqlite"
_SHARE: Final = r"(?a)([0-9]{1,3}(?:\.[0-9]+)?) ?%"


def _parse_share(
    ctx: click.Context, param: click.Parameter, text: str | None
) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(_SHARE, text)
    if match is None or not 0 < float(match[1]) <= 100:
        raise click.BadParameter(f"{text!r} is not like `5%`", ctx, param)
    return float(match[1]) / 100


def _parse_age(
    ctx: click.Context, param: click.Parameter, text: str | None
) -> float | None:
    if text is None:
        return None
    try:
        found = AGE.parse(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not {AGE.form}", ctx, param) from None
    assert isinstance(found, int | float)
    return float(found)


@command(
    "verify",
    example="wheelferry verify --sample 5% --fix",
    settings=("store.path", "cache.state", "runner.name"),
    params=(
        click.Option(
            ["--sample", "share"],
            metavar="SHARE",
            callback=_parse_share,
            help="Read a part of all bytes, as `5%`: what was read the longest ago.",
        ),
        click.Option(
            ["--since", "since_s"],
            metavar="AGE",
            callback=_parse_age,
            help="Read only what was written to the store in this time, as `2d`.",
        ),
        click.Option(
            ["--fix", "fixes"],
            is_flag=True,
            help="Move into quarantine what is damaged, and have it promoted anew.",
        ),
        click.Option(
            ["--restart", "is_anew"],
            is_flag=True,
            help="Begin anew, where else a verification that was cut off goes on.",
        ),
        click.Option(
            ["--cache", "cache"],
            is_flag=False,
            flag_value="",
            metavar="[DIR]",
            help="Look for edited files in the local cache, and leave the store alone.",
        ),
    ),
)
def verify(
    session: Session,
    *,
    share: float | None,
    since_s: float | None,
    fixes: bool,
    is_anew: bool,
    cache: str | None,
) -> int:
    """Check every object and every segment of the store.

    Reads all of it, several packs at a time, and changes nothing but with --fix.  What
    looks damaged is read a second time before it is called so.  A run that was cut off
    is gone on with by the next.  Exits with 30 if anything is damaged, also if --fix has
    mended it.
    """
    if cache is not None:
        if share or since_s or fixes or is_anew:
            raise click.UsageError("--cache is for the local cache, without the store")
        return _verify_cache(session, Path(cache or session.config.cache.path))
    output, start_s = session.output, clock.monotonic_s()
    scope = Scope(share=share or 1.0, since_s=since_s or float("inf"))
    fixed: FixReport | None = None
    with connect(session) as link, _open(session, link, fixes=fixes) as opened:
        store, tiers, memory = opened
        report = verify_store(
            store,
            _without_findings(session),
            scope=scope,
            memory=memory,
            is_anew=is_anew,
        )
        if tiers is not None:
            fixed = fix_store(tiers, report)
    duration_s = clock.monotonic_s() - start_s
    output.text(render_report(report, fixed, store.location, duration_s))
    output.document(encode_report(report, fixed, store.location, duration_s))
    if fixed is not None and fixed.stopped_by is not None:
        raise fixed.stopped_by
    return exits.DONE if report.is_clean else IntegrityError.exit_code


class _Opened(NamedTuple):
    """What there is to work with.

    Attributes:
        store: The store.
        tiers: The store and the view, if something is to be changed.
        memory: What was read before; None if it cannot be remembered.
    """

    store: "Store"
    tiers: "Tiers | None"
    memory: Memory | None


@contextmanager
def _open(session: Session, link: Link, *, fixes: bool) -> Iterator[_Opened]:
    if fixes:
        with (
            open_tiers(session, link, needs_cache=False) as tiers,
            Memory(
                tiers.state / MEMORY, store_id=tiers.store_id, now=clock.now_s
            ) as memory,
        ):
            yield _Opened(tiers.store, tiers, memory)
        return
    store_id = open_store(session, link).id
    state = session.config.cache.state
    try:
        # Whoever only looks must not make what the jobs' user could not write to.
        check_owner(session.config.cache.path)
        Disk().make_dirs(state)
    except (CacheError, OSError) as exc:
        session.output.emit(
            Event(
                name="verify.unremembered",
                level=Level.DEBUG,
                message="what is read is not remembered: a run that is cut off begins"
                f" anew ({exc})",
            )
        )
        yield _Opened(link.store, None, None)
        return
    with Memory(state / MEMORY, store_id=store_id, now=clock.now_s) as memory:
        yield _Opened(link.store, None, memory)


def _verify_cache(session: Session, cache: Path) -> int:
    check_reach(cache)
    if not cache.is_dir():
        raise CacheNotFound(
            f"there is no uv cache in {cache}",
            hint="run this as the user of the jobs, and with their UV_CACHE_DIR, or name"
            " what `uv cache dir` prints in a job: `--cache DIR`",
        )
    output, start_s = session.output, clock.monotonic_s()
    report = verify_cache(cache, _without_findings(session))
    duration_s = clock.monotonic_s() - start_s
    output.text(render_cache(report, str(cache), duration_s))
    output.document(encode_cache(report, str(cache), duration_s))
    return exits.DONE if report.is_clean else IntegrityError.exit_code


def _without_findings(session: Session) -> Sink:
    """Return a sink for all but findings: the report has them, with what to do."""

    def emit(event: Event) -> None:
        if event.name != "finding.made":
            session.output.emit(event)

    return emit


COMMAND = verify
