"""`wheelferry stats`: what was carried and saved, and what that cost."""

from typing import Final

import click

from wheelferry.cli import exits
from wheelferry.cli.command import TIERS, command
from wheelferry.cli.render_stats import encode_stats, render_summary
from wheelferry.cli.session import Session
from wheelferry.cli.textfile import write_textfile
from wheelferry.cli.units import format_bytes
from wheelferry.cli.wiring import connect, open_store
from wheelferry.disk import clock
from wheelferry.errors import StoreError
from wheelferry.ops.figures import (
    RunnerFigures,
    Summary,
    date_of,
    day_of,
    summarize,
)
from wheelferry.ops.figures_file import read_ledger
from wheelferry.ops.fleet import read_fleet

SINCE: Final = click.Option(
    ["--since", "since_days"],
    type=click.IntRange(min=1),
    metavar="DAYS",
    help="Only the last so many days, today among them.",
)
TOP: Final = click.Option(
    ["--top"],
    type=click.IntRange(min=0),
    default=5,
    metavar="NUMBER",
    help="How many packages of each kind are named; 5 if not given.",
)
LOCAL: Final = click.Option(
    ["--local", "is_local"],
    is_flag=True,
    help="Only this runner: the store is not asked.",
)
TEXTFILE: Final = click.Option(
    ["--textfile"],
    metavar="FILE",
    help="Write this runner's figures into a file for node_exporter, and nothing else.",
)


@command(
    "stats",
    example="wheelferry stats --since 30",
    settings=TIERS,
    params=(SINCE, TOP, LOCAL, TEXTFILE),
)
def stats(
    session: Session,
    *,
    since_days: int | None,
    top: int,
    is_local: bool,
    textfile: str | None,
) -> int:
    """Show what runners carried and saved, and what that cost.

    Of this runner up to its last run; of the others what they have said in the store,
    which they do once a day.  What is not known is said to be unknown.
    """
    output, config = session.output, session.config
    if textfile is not None:
        target, size_bytes = write_textfile(config, textfile)
        output.text(f"wrote {textfile}, {format_bytes(size_bytes)}")
        output.document({"textfile": str(target), "size_bytes": size_bytes})
        return exits.DONE
    since_day = None
    if since_days is not None:
        since_day = day_of(clock.now_s()) - since_days + 1
    since = None if since_day is None else str(date_of(since_day))
    ledger = read_ledger(config.cache.state, output.emit)
    own = [RunnerFigures(runner=config.runner.name, days=ledger.days)]
    runner = summarize(own, since_day=since_day)
    title = f"this runner ({config.runner.name})"
    output.text(render_summary(runner, title, top=top))
    if is_local:
        output.document(encode_stats(since, runner, None, top=top))
        return exits.DONE
    try:
        fleet = _read_fleet(session, since_day)
    except StoreError:
        output.document(encode_stats(since, runner, None, top=top))
        raise
    number = len(fleet.runners)
    title = f"all runners ({number}), as they have said in {session.store_path()}"
    output.text("\n" + render_summary(fleet, title, top=top, names_runners=True))
    output.document(encode_stats(since, runner, fleet, top=top))
    return exits.DONE


def _read_fleet(session: Session, since_day: int | None) -> Summary:
    with connect(session) as link:
        open_store(session, link)
        return summarize(read_fleet(link.store), since_day=since_day)


COMMAND = stats
