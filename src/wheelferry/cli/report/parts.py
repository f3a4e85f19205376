"""What sections are made of.  Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from wheelferry.cli.report.markup import Child, Html, element, join


class Heading(NamedTuple):
    """The heading of a table's column; numbers stand to the right."""

    text: str
    is_number: bool = False


def render_section(name: str, title: str, *children: Child) -> Html:
    """Return a section with a heading, to which a link leads."""
    return element(
        "section",
        element("h2", title, id=name),
        *children,
        aria_labelledby=name,
    )


def render_table(
    caption: str, headings: Sequence[Heading], rows: Sequence[Sequence[Child]]
) -> Html:
    """Return a table whose first column names the row; a narrow screen scrolls it."""
    head = join(*map(_render_heading, headings))
    body = join(*(element("tr", *_cells(headings, row)) for row in rows))
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element("thead", element("tr", head)),
            element("tbody", body),
        ),
        class_="table",
        role="region",
        aria_label=caption,
        tabindex=0,
    )


def _render_heading(heading: Heading) -> Html:
    if not heading.text:  # over bars, which only repeat a number
        return element("td")
    kind = "number" if heading.is_number else None
    return element("th", heading.text, scope="col", class_=kind)


def _cells(headings: Sequence[Heading], row: Sequence[Child]) -> list[Html]:
    first, *rest = row
    return [
        element("th", first, scope="row"),
        *(
            element("td", cell, class_="number" if heading.is_number else None)
            for heading, cell in zip(headings[1:], rest, strict=True)
        ),
    ]


def render_tiles(tiles: Sequence[tuple[str, str, str]]) -> Html:
    """Return the figures that matter most: each a name, a value, and a remark."""
    return element(
        "dl",
        *(
            element(
                "div",
                element("dt", name),
                element("dd", value, class_="value"),
                element("dd", remark, class_="remark") if remark else "",
            )
            for name, value, remark in tiles
        ),
        class_="tiles",
    )
