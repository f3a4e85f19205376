"""HTML in which text cannot become markup.

Elements are made by `element`, which escapes every child and every attribute that is not
itself made by it.  Pure.
"""

import html
from typing import Final, TypeAlias

from wheelferry.cli.units import printable

_EMPTY: Final = frozenset({"link", "meta", "rect", "line"})
"""Elements of ours that have no content; those of SVG are closed as XML has it."""


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Child: TypeAlias = Html | str


def escape(text: str) -> Html:
    """Return text as it is shown: no tag, no entity, nothing that does not print.

    Characters that do not print are shown as escapes: one can turn the direction of all
    that follows.
    """
    return Html(html.escape(printable(text), quote=True))


def element(tag: str, *children: Child, **attributes: str | float | None) -> Html:
    """Return an element.

    Args:
        tag: Its name.
        children: Its content; what is not `Html` is escaped.
        attributes: Its attributes; those that are None are left out.  An underline
            stands for a hyphen, and one at the end for nothing: `class_`, `aria_label`.
    """
    opened = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _EMPTY:
        return Html(f"<{tag}{opened}/>")
    return Html(f"<{tag}{opened}>{join(*children)}</{tag}>")


def join(*children: Child) -> Html:
    """Return several things, one after the other."""
    return Html("".join(c if isinstance(c, Html) else escape(c) for c in children))
