"""The page.  Pure."""

import base64
import hashlib
from typing import Final

from wheelferry.cli.report.content import render_content, render_removal
from wheelferry.cli.report.markup import Html, element, join
from wheelferry.cli.report.parts import render_tiles
from wheelferry.cli.report.savings import (
    render_runners,
    render_savings,
    render_slowest,
)
from wheelferry.cli.report.words import (
    UNKNOWN,
    format_build_time,
    format_net,
    format_number,
    format_share,
    format_time,
)
from wheelferry.cli.units import count, format_bytes, format_seconds
from wheelferry.ops.report_plan import Report

TITLE: Final = "Wheelferry report"


def render_page(report: Report, *, style: str) -> str:
    """Return the page; the same for the same report.

    Args:
        report: What to show.
        style: The style sheet, trusted.
    """
    body = element(
        "body",
        element("header", *_render_head(report)),
        element(
            "main",
            render_tiles(_find_tiles(report)),
            render_savings(report),
            render_runners(report),
            render_slowest(report),
            render_content(report),
            render_removal(report),
        ),
        element("footer", element("p", _render_foot(report))),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("title", f"{TITLE}: {report.place.store}"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="robots", content="noindex"),
        element("link", rel="icon", href="data:,"),
        element("style", Html(style)),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _policy(style: str) -> str:
    """Return what a browser may do with the page: show it, with this style sheet."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def _render_head(report: Report) -> tuple[Html, Html]:
    place = report.place
    return (
        element("h1", TITLE),
        element(
            "p",
            "The store in ",
            element("code", place.store),
            f" at {format_time(report.now_s)}, as runner ",
            element("code", place.runner),
            " saw it.",
        ),
    )


def _find_tiles(report: Report) -> list[tuple[str, str, str]]:
    content, budget = report.plan.content, report.plan.budget
    size = content.object_bytes
    sums = report.savings.total
    of_budget = "no budget"
    if budget.max_bytes is not None:
        of_budget = f"{format_share(size, budget.max_bytes)} of {format_bytes(budget.max_bytes)}"
    kept = ""
    if budget.keep_free_bytes is not None:
        kept = f"{format_bytes(budget.keep_free_bytes)} to be kept"
    tiles = [
        ("Size", format_bytes(size), of_budget),
        ("Packs", format_number(report.totals.packs), ""),
        ("Free on the share", format_bytes(content.free_bytes), kept),
    ]
    if not report.points:
        return [*tiles, ("Saved", UNKNOWN, "no runner has said")]
    seen = "where they were seen" if sums.untimed else ""
    return [
        *tiles,
        (
            "Net traffic saved",
            format_net(sums.net_bytes),
            "a loss" if sums.net_bytes < 0 else "",
        ),
        ("Builds avoided", format_number(sums.builds), ""),
        ("Build time avoided", format_build_time(sums), seen),
        (
            "Jobs waited",
            format_seconds(sums.waited_s),
            f"in {count(sums.pulls, 'pull')}",
        ),
    ]


def _render_foot(report: Report) -> Html:
    place = report.place
    return join(
        f"Made by Wheelferry {place.version}; store ",
        element("code", place.store_id),
        ". Sizes are of packs, as they are on the share. When a pack was last needed is"
        " known to a day.",
    )
