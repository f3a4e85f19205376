"""What is to be written for a CI system, and what goes again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from wheelferry.errors import HooksError
from wheelferry.hooks import render
from wheelferry.hooks.catalogue import ENV_FILE, SCRIPTS, SNIPPETS, Ci, Snippet
from wheelferry.hooks.render import Site
from wheelferry.sealed.files import (
    Action,
    Change,
    Writer,
    plan_removal,
    plan_write,
    read_text,
)
from wheelferry.sealed.seal import seal

WRITER: Final = Writer(
    command=render.COMMAND,
    error=HooksError,
    rescue="call the scripts from a hook of your own, as `wheelferry hooks show` says",
    access="use sudo, or directories that you may write to (--scripts, --into)",
)

_PROGRAM: Final = 0o755


def load_templates(kind: str) -> Mapping[str, str]:
    """Return what `scripts/` or `snippets/` has, by file name."""
    found = (Path(__file__).parent / kind).iterdir()
    return {path.name: path.read_text(encoding="utf-8") for path in found}


def render_snippets(ci: Ci, site: Site) -> tuple[tuple[Snippet, str], ...]:
    """Return what goes into files of a CI system."""
    return render.render_snippets(load_templates("snippets"), ci, site)


def render_scripts(site: Site) -> dict[str, str]:
    """Return the scripts by name."""
    return render.render_scripts(load_templates("scripts"), site)


def plan_install(ci: Ci, site: Site, *, into: Path | None) -> tuple[Change, ...]:
    """Return what puts the scripts, and the files of a CI system, where they belong.

    Args:
        ci: The CI system.
        site: What the scripts have to know.
        into: Directory of that system's files.

    Raises:
        HooksError: `into` is no directory, or something there cannot be read.
    """
    directory = Path(site.scripts)
    changes = [
        plan_write(WRITER, directory / name, text, mode=_PROGRAM)
        for name, text in render_scripts(site).items()
    ]
    for target, text in _targets(ci, site):
        path = _below(into, target)
        if target == ENV_FILE:
            changes.append(_plan_env(path, text))
        else:
            sealed = seal(text, command=WRITER.command)
            changes.append(plan_write(WRITER, path, sealed, mode=_PROGRAM))
    return tuple(changes)


def plan_uninstall(ci: Ci, site: Site, *, into: Path | None) -> tuple[Change, ...]:
    """Return what takes the files of a CI system away; for `generic`, the scripts."""
    changes = []
    for target, text in _targets(ci, site):
        path = _below(into, target)
        there = read_text(WRITER, path)
        if there is None:
            continue
        if target != ENV_FILE:
            changes.append(plan_removal(WRITER, path))
        elif (after := render.drop_env(there, text)) != there:
            changes.append(Change(path, Action.REPLACED, after, mode=None))
    if ci is Ci.GENERIC:
        paths = (Path(site.scripts) / name for name in SCRIPTS)
        found = (path for path in paths if read_text(WRITER, path) is not None)
        changes += [plan_removal(WRITER, path) for path in found]
    return tuple(changes)


def has_files(ci: Ci) -> bool:
    """Return whether a CI system takes hooks from files of its own."""
    return any(snippet.target for snippet in SNIPPETS[ci])


def _targets(ci: Ci, site: Site) -> list[tuple[str, str]]:
    found = render_snippets(ci, site)
    return [(snippet.target, text) for snippet, text in found if snippet.target]


def _below(into: Path | None, target: str) -> Path:
    if into is None:
        raise HooksError(
            f"where {target} belongs has not been said",
            hint="name the directory with --into",
        )
    if not into.is_dir():
        raise HooksError(
            f"there is no directory {into}",
            hint="--into takes the one that is there: nothing else would read the files",
        )
    return into / target


def _plan_env(path: Path, lines: str) -> Change:
    """Return what makes a file of variables have these, and keep its others."""
    there = read_text(WRITER, path)
    if there is None:
        return Change(path, Action.WRITTEN, lines)
    after = render.merge_env(there, lines)
    if all(line in there.splitlines() for line in lines.splitlines()):
        return Change(path, Action.UNCHANGED, there)
    is_edited = bool(render.find_foreign(there, lines))
    return Change(path, Action.REPLACED, after, is_edited, mode=None)
