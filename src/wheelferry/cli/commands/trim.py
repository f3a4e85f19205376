"""`wheelferry trim`: keep the local cache within a size."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from wheelferry.cli import exits
from wheelferry.cli.command import DRY_RUN, command
from wheelferry.cli.conclude import conclude
from wheelferry.cli.output import Form
from wheelferry.cli.render_trim import (
    encode_plan,
    encode_report,
    is_over,
    render_plan,
    render_report,
)
from wheelferry.cli.session import Session
from wheelferry.cli.wiring import check_cache
from wheelferry.disk import Disk, clock
from wheelferry.errors import CacheLocked, ConfigError
from wheelferry.ops.tiers import VIEW
from wheelferry.ops.trim import Place, TrimReport, apply_trim, read_plan
from wheelferry.store.view import View
from wheelferry.store.view_file import read_store_id
from wheelferry.uvcache.owner import check_owner

SPARE_S: Final = 3600.0
"""What was used so recently is left in the background: a job may be about to need what
its pull has brought."""


@command(
    "trim",
    example="wheelferry trim --max-size 20G --dry-run",
    settings=("trim.max_size", "cache.path", "cache.state"),
    params=(DRY_RUN,),
    form=Form.LINES,
    is_fail_open=True,
)
def trim(session: Session, *, is_dry_run: bool) -> int:
    """Keep the local cache within a size; what was used least recently goes.

    Only wheels, downloaded or built here, with all that belongs to them; other things
    in the cache are named, and left to `uv cache prune`.  While uv uses the cache, and
    goes on for 2 s, nothing is done.  The store is not asked, and keeps what it has.
    """
    return run_trim(session, is_dry_run=is_dry_run)


def run_trim(
    session: Session, *, is_dry_run: bool = False, is_background: bool = False
) -> int:
    """Trim, and say how it went; return the exit code.

    Args:
        session: Which cache, and its budget.
        is_dry_run: Whether only to say what would be done.
        is_background: Whether nobody asked for it now: then what was used a moment ago
            stays, and a cache that is in use is no failure, but looked at again soon.
    """
    output, process, config = session.output, session.process, session.config
    max_bytes = config.trim.max_bytes
    if max_bytes is None:
        raise ConfigError(
            "no size is configured that the cache may have",
            hint="set max_size under [trim] in /etc/wheelferry/config.toml, or use"
            " --max-size SIZE",
        )
    check_cache(session, needs_cache=True)
    if not is_dry_run:
        check_owner(config.cache.path)
    with _open_place(session) as place:
        plan = read_plan(
            place, max_bytes=max_bytes, spare_s=SPARE_S if is_background else 0.0
        )
        if is_dry_run:
            output.text(render_plan(plan, place.now()))
            output.document(encode_plan(plan))
            return exits.DONE
        try:
            report = apply_trim(place, plan)
        except CacheLocked as exc:
            if not is_background:
                raise
            report = TrimReport(stopped_by=exc)
    duration_s = clock.monotonic_s() - process.started_s
    if is_background and isinstance(report.stopped_by, CacheLocked):
        code = exits.DONE
    else:
        code = conclude(
            session, report.stopped_by, is_partly_done=is_over(plan, report)
        )
    output.summary(
        render_report(plan, report, duration_s), encode_report(plan, report, duration_s)
    )
    return code


@contextmanager
def _open_place(session: Session) -> Iterator[Place]:
    """Open the view, if there is one: of whichever store this runner knew last."""
    config, disk = session.config.cache, Disk()
    store_id = read_store_id(config.state / VIEW)
    place = Place(
        cache=config.path,
        state=config.state,
        view=None,
        disk=disk,
        emit=session.output.emit,
    )
    if store_id is None:
        yield place
        return
    with View.open(config.state / VIEW, store_id=store_id, disk=disk) as view:
        yield place._replace(view=view)


COMMAND = trim
