"""`wheelferry bench`: what would Wheelferry save here?"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from wheelferry.cli import exits
from wheelferry.cli.command import TIERS, command
from wheelferry.cli.render_bench import encode_result, render_result
from wheelferry.cli.session import Session
from wheelferry.cli.wiring import connect, make_rules, open_tiers
from wheelferry.config.values import DURATION, SIZE, ValueKind
from wheelferry.disk import Disk, clock
from wheelferry.disk.clock import Deadline

if TYPE_CHECKING:
    from wheelferry.bench.forecast import Fleet
    from wheelferry.store.isolated import IsolatedStore

REMOVE_S: Final = 20.0
"""Of the deadline, at most what is kept for removing what was made on the share."""

MAX_DEADLINE_S: Final = 1800
_MIN_BYTES: Final = 16 << 20


def _within(
    kind: ValueKind, least: int, most: int
) -> Callable[[click.Context, click.Parameter, str], int | float]:
    """Return what makes a number of the text of a flag, as settings have it."""

    def parse(ctx: click.Context, param: click.Parameter, text: str) -> int | float:
        try:
            found = kind.parse(text)
        except ValueError:
            raise click.BadParameter(
                f"{text!r} is not {kind.form}", ctx, param
            ) from None
        if not isinstance(found, int | float) or not least <= found <= most:
            raise click.BadParameter(f"{text} is too little, or too much", ctx, param)
        return found

    return parse


@command(
    "bench",
    example="wheelferry bench --project . --runners 20 --jobs 50",
    settings=(
        "pull.limit_rate",
        "uv.versions",
        "python.versions",
        *TIERS,
    ),
    params=(
        click.Option(
            ["--project"],
            metavar="DIR",
            default=".",
            help="A project with a lock; the working directory by default.",
        ),
        click.Option(["--lock"], metavar="FILE", help="A lock, in place of a project."),
        click.Option(
            ["--runners"],
            type=click.IntRange(1, 1_000_000),
            default=4,
            metavar="N",
            help="Runners of the fleet; 4 by default.",
        ),
        click.Option(
            ["--jobs"],
            type=click.FloatRange(0, 1_000_000),
            default=20,
            metavar="N",
            help="Jobs of each runner in a day; 20 by default.",
        ),
        click.Option(
            ["--fresh"],
            type=click.FloatRange(0, 100),
            metavar="PERCENT",
            help="Jobs that begin with an empty cache, as on ephemeral runners; without"
            " it, both none and all.",
        ),
        click.Option(
            ["--changes"],
            type=click.FloatRange(0, 1_000_000),
            default=1,
            metavar="N",
            help="Changes of the lock in a day, of one package each; 1 by default.",
        ),
        click.Option(
            ["--index-mbit"],
            type=click.FloatRange(0, 1_000_000, min_open=True),
            metavar="MBIT",
            help="Speed of the index in Mbit/s, to compute its time; it is not asked.",
        ),
        click.Option(
            ["--deadline"],
            callback=_within(DURATION, 2, MAX_DEADLINE_S),
            default="2m",
            metavar=DURATION.metavar,
            help="How long all of it may take; 2m by default.",
        ),
        click.Option(
            ["--max-size"],
            callback=_within(SIZE, _MIN_BYTES, 1 << 40),
            default="512M",
            metavar=SIZE.metavar,
            help="How much it may have on the share at one time; 512M by default.",
        ),
    ),
)
def bench(session: Session, **given: Any) -> int:
    """Measure this share, and say what a fleet would save per day.

    Reads the lock for what a job needs of the index, which is not asked; pulls that into
    a throw-away cache beside the real one; and reads the same files from the share in
    other ways, in a folder of its own below the store's staging/, which it removes.
    Changes neither the store nor the cache.
    """
    from wheelferry.bench.course import Bounds
    from wheelferry.bench.run import Request, run_bench
    from wheelferry.bench.yard import Yard
    from wheelferry.cli.aim import find_aim
    from wheelferry.project.inputs import Inputs

    config, output = session.config, session.output
    deadline_s = given["deadline"]
    end_s = session.process.started_s + deadline_s
    end, until = Deadline(end_s), Deadline(end_s - min(REMOVE_S, deadline_s / 4))
    inputs = Inputs(projects=(Path(given["project"]).absolute(),))
    if given["lock"]:
        inputs = Inputs(locks=(Path(given["lock"]).absolute(),))

    @contextmanager
    def open_other(path: Path) -> "Iterator[IsolatedStore]":
        from wheelferry.store.isolated import IsolatedStore

        def make() -> Yard:
            return Yard(Path(path), disk=Disk(), runner=config.runner.name)

        with IsolatedStore(
            make,
            location=str(path),
            timeout_s=config.store.timeout_s,
            deadline=end,
        ) as store:
            yield store

    with (
        _ended_by_signals(),
        connect(session, deadline=end, makes_state=True, kind=Yard) as link,
        open_tiers(session, link, needs_cache=False) as tiers,
    ):
        aim = find_aim(config, tiers, inputs)
        request = Request(
            rules=make_rules(config.pull.rules, config.pull.native),
            format_ids=aim.formats,
            target=aim.target,
            bounds=Bounds(
                until,
                given["max_size"],
                config.pull.rate_bytes_s,
                config.promote.rate_bytes_s,
            ),
            fleets=_fleets(given),
            index_mbit=given["index_mbit"],
        )
        result = run_bench(tiers, link.store, request, open_other)
    duration_s = clock.monotonic_s() - session.process.started_s
    output.text(render_result(result))
    output.document(encode_result(result, duration_s))
    return exits.DONE


def _fleets(given: dict[str, Any]) -> "tuple[Fleet, ...]":
    """Return the fleet that was asked for; where jobs begin is open, both extremes."""
    from wheelferry.bench.forecast import Fleet

    fresh = given["fresh"]
    shares = (0.0, 1.0) if fresh is None else (fresh / 100,)
    return tuple(
        Fleet(given["runners"], given["jobs"], given["changes"], share)
        for share in shares
    )


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end it as Ctrl-C does: it tidies up first.

    What is ignored, as SIGHUP by `nohup`, stays so.
    """
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP)}
    heard = {n: was for n, was in before.items() if was is not signal.SIG_IGN}
    for number in heard:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)


COMMAND = bench
