"""`wheelferry report`: a page about the store, and what it brings."""

from pathlib import Path
from typing import Final

import click

from wheelferry.cli import exits
from wheelferry.cli.budget import BUDGET, make_budget
from wheelferry.cli.command import TIERS, command
from wheelferry.cli.report.page import render_page
from wheelferry.cli.session import Session
from wheelferry.cli.units import format_bytes
from wheelferry.cli.wiring import connect, open_tiers
from wheelferry.cli.writing import find_target, write_target
from wheelferry.ops.report import read_report

DEFAULT: Final = "wheelferry-report.html"
STYLE: Final = Path(__file__).parent.parent / "report" / "style.css"

_OUTPUT: Final = click.Option(
    ["--output", "path"],
    metavar="FILE",
    default=DEFAULT,
    help=f"Where the page goes; {DEFAULT} in the working directory if not given.",
)


@command(
    "report",
    example="wheelferry report --output /srv/www/wheelferry.html",
    settings=(*BUDGET, *TIERS),
    params=(_OUTPUT,),
)
def report(session: Session, *, path: str) -> int:
    """Write a page about the store: what it holds, saves, and would give up next.

    One HTML file that needs no network and no script.  It has what each runner did, by
    day, the slowest builds that were shared, and what gc would remove.  Changes nothing
    but that file, which is replaced as a whole.
    """
    output, target = session.output, find_target(path)
    budget = make_budget(session.config.gc)
    with (
        connect(session) as link,
        open_tiers(session, link, needs_cache=False, only_looks=True) as tiers,
    ):
        found = read_report(tiers, budget)
    page = render_page(found, style=STYLE.read_text(encoding="utf-8")).encode()
    write_target(target, page)
    output.text(f"wrote {path}, {format_bytes(len(page))}: open it in a browser")
    output.document({"page": str(target), "size_bytes": len(page)})
    return exits.DONE


COMMAND = report
