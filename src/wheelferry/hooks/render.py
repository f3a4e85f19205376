"""The text of the scripts, and of what goes into files of a CI system.

Pure.
"""

import math
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from wheelferry.errors import HooksError
from wheelferry.hooks.catalogue import (
    POST_JOB,
    PRE_JOB,
    SCRIPTS,
    SNIPPETS,
    Ci,
    Snippet,
)
from wheelferry.sealed.seal import seal

COMMAND: Final = "hooks install"
COMMON: Final = "common.sh"
SYSTEM_PATH: Final = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
]
"""Where the scripts look for programs, whatever a job's PATH says."""

_PLAIN: Final = r"(?a)/[\w./+@-]*"


class Site(NamedTuple):
    """What the scripts have to know of this machine; paths are absolute.

    Attributes:
        python: The interpreter that has Wheelferry.
        scripts: Directory of the scripts.
        path: Directories to look for programs in, uv among them.
        config_file: The configuration file that is named to every run, or "".
        socket: Where the daemon listens, or "".
        pull_s: How long a pull may take.
        promote_s: How long a promotion may take.
        cache: The uv cache.
        builds: The directory that has the checkouts.
        volume: What has both.
    """

    python: str
    scripts: str
    path: tuple[str, ...]
    config_file: str
    socket: str
    pull_s: float
    promote_s: float
    cache: str
    builds: str
    volume: str


def render_scripts(templates: Mapping[str, str], site: Site) -> dict[str, str]:
    """Return the scripts by name, sealed.

    Args:
        templates: What `scripts/` has, by name.
        site: What is put in.
    """
    _check_scripts(site.scripts)
    deadlines = {PRE_JOB: site.pull_s, POST_JOB: site.promote_s}
    return {
        name: seal(
            _fill(
                templates[name].replace("@COMMON@\n", templates[COMMON]),
                {
                    "PATH": _quote(":".join(site.path)),
                    "PYTHON": _quote(site.python),
                    "CONFIG": _quote(site.config_file),
                    "SOCKET": _quote(site.socket),
                    "DEADLINE_S": str(math.ceil(deadlines[name])),
                },
            ),
            command=COMMAND,
        )
        for name in SCRIPTS
    }


def render_snippets(
    templates: Mapping[str, str], ci: Ci, site: Site
) -> tuple[tuple[Snippet, str], ...]:
    """Return what goes into files of a CI system, in the order of a reader.

    Args:
        templates: What `snippets/` has, by name.
        ci: The CI system.
        site: What is put in.
    """
    _check_scripts(site.scripts)
    values = {
        "PRE": f"{site.scripts}/{PRE_JOB}",
        "POST": f"{site.scripts}/{POST_JOB}",
        "SCRIPTS": site.scripts,
        "SOCKETS": (site.socket or "/run/wheelferry/USER/socket").rpartition("/")[0],
        "CACHE": site.cache,
        "BUILDS": site.builds,
        "VOLUME": site.volume,
    }
    return tuple(
        (snippet, _fill(templates[snippet.template], values))
        for snippet in SNIPPETS[ci]
    )


def merge_env(before: str, lines: str) -> str:
    """Return the `NAME=value` lines of a file with those of `lines` in it, each once."""
    wanted = lines.splitlines()
    names = {line.partition("=")[0] for line in wanted}
    kept = [line for line in before.splitlines() if line.partition("=")[0] not in names]
    return "".join(f"{line}\n" for line in [*kept, *wanted])


def drop_env(before: str, lines: str) -> str:
    """Return what is left of a file without those lines."""
    unwanted = set(lines.splitlines())
    kept = [line for line in before.splitlines() if line not in unwanted]
    return "".join(f"{line}\n" for line in kept)


def find_foreign(before: str, lines: str) -> list[str]:
    """Return the lines of a file that give names in `lines` another value."""
    wanted = dict(line.split("=", 1) for line in lines.splitlines())
    found = (line.partition("=") for line in before.splitlines())
    return [
        f"{name}={value}"
        for name, _, value in found
        if name in wanted and value != wanted[name]
    ]


def _check_scripts(path: str) -> None:
    """Refuse what would have to be quoted, in a different way in each of the files."""
    if not re.fullmatch(_PLAIN, path):
        raise HooksError(
            f"{path!r} cannot be the directory of the scripts",
            hint="use an absolute path of letters, digits and `/._+@-`",
        )


def _fill(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], text)


def _quote(text: str) -> str:
    """Return `text` as one word of a shell; raises HooksError for control characters."""
    if not text.isprintable():
        raise HooksError(
            f"{text!r} cannot be written into a script: it has characters that do not"
            " print"
        )
    return "'" + text.replace("'", "'\"'\"'") + "'"
