"""A request to pull for a project.

docs/hooks.md describes it.

Pure.
"""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

from wheelferry.daemon.http1 import MALFORMED, Answer, parse_head

MAX_PATH_BYTES: Final = 4096


def parse_request(data: bytes) -> str | Answer | None:
    """Return the project that is asked for, or why not; None if more is to come.

    Args:
        data: All that has come so far, of any length.
    """
    head = parse_head(data)
    if head is None or isinstance(head, Answer):
        return head
    if (head.method, head.target) != ("POST", "/pull"):
        return Answer(MALFORMED, "the request does not begin with POST /pull HTTP/1.0")
    project = head.fields.get("project")
    if project is None:
        return Answer(
            MALFORMED, "the request names no project: it has no field Project"
        )
    return project


def refuse_project(project: str, roots: Iterable[str]) -> str:
    """Return why a path can be no project that is served, or "".

    No file is looked at: a path that leads to a share that is away would hang.  So links
    are looked at later, where that harms nobody.
    """
    if len(project.encode()) > MAX_PATH_BYTES or not project.isprintable():
        return (
            "the path of the project is too long, or has characters that do not print"
        )
    path = PurePosixPath(project)
    if not path.is_absolute() or ".." in path.parts or project.startswith("//"):
        return f"{project!r} is no absolute path without `..`"
    if not any(path.is_relative_to(root) for root in roots):
        return f"{project!r} is in none of daemon.projects"
    return ""
