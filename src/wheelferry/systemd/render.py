"""The text of each file that is installed.

Pure.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from wheelferry.errors import UnitsError
from wheelferry.sealed.seal import seal
from wheelferry.systemd.access import Access
from wheelferry.systemd.escape import double_percent, quote, quote_program

DAEMON: Final = "wheelferry"
PULL: Final = "wheelferry-pull"
DAEMON_UNIT: Final = f"{DAEMON}@.service"
PULL_UNIT: Final = f"{PULL}@.service"
TIMER_UNIT: Final = f"{PULL}@.timer"
SANDBOX: Final = "sandbox.conf"
METRICS: Final = "metrics.conf"
_DROP_IN: Final = "10-wheelferry.conf"
_METRICS_DROP_IN: Final = "20-metrics.conf"
DROP_INS: Final = (_DROP_IN, _METRICS_DROP_IN)
"""Names that drop-ins of ours can have."""

_HINT: Final = (
    "# To change something, add a drop-in of your own (systemctl edit): this file is"
    " replaced.\n"
)
_NAME: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"


class Instance(NamedTuple):
    """One service of one user.

    Attributes:
        name: What stands after the `@`.
        user: Whose cache it is for.
        access: What is to be opened.
        config_file: The configuration file that it reads on top of the others.
        has_timer: Whether a timer pulls, and not a daemon.
    """

    name: str
    user: str
    access: Access
    config_file: str | None = None
    has_timer: bool = False

    @property
    def unit(self) -> str:
        """What is to be enabled."""
        kind = (PULL, "timer") if self.has_timer else (DAEMON, "service")
        return f"{kind[0]}@{self.name}.{kind[1]}"


def check_name(name: str) -> None:
    """Raise UnitsError if an instance cannot have that name."""
    if not re.fullmatch(_NAME, name):
        raise UnitsError(
            f"{name!r} cannot be the name of an instance",
            hint="use --name with at most 64 letters, digits, `_`, `.` and `-`",
        )


def render_templates(
    templates: Mapping[str, str], *, python: str, has_timer: bool
) -> dict[str, str]:
    """Return the units of all instances, by file name.

    Args:
        templates: What `units/` has, by file name.
        python: The interpreter that has Wheelferry.
        has_timer: Whether a timer is wanted, and not a daemon.
    """
    names = (PULL_UNIT, TIMER_UNIT) if has_timer else (DAEMON_UNIT,)
    sandbox = templates[SANDBOX]
    return {
        name: _seal(
            templates[name]
            .replace("@SANDBOX@\n", sandbox)
            .replace("@PYTHON@", quote_program(python))
        )
        for name in names
    }


def render_instance(templates: Mapping[str, str], instance: Instance) -> dict[str, str]:
    """Return the drop-ins of one instance, by path below the directory of units."""
    directory = drop_in_directory(instance.name, has_timer=instance.has_timer)
    files = {f"{directory}/{_DROP_IN}": _seal(_render_drop_in(instance))}
    if (port := instance.access.metrics_port) is not None:
        text = templates[METRICS].replace("@PORT@", str(port))
        files[f"{directory}/{_METRICS_DROP_IN}"] = _seal(text)
    return files


def drop_in_directory(name: str, *, has_timer: bool) -> str:
    """Return the name of the directory of an instance's drop-ins."""
    return f"{PULL if has_timer else DAEMON}@{name}.service.d"


def _render_drop_in(instance: Instance) -> str:
    access = instance.access
    lines = ["", "[Service]"]
    if instance.user != instance.name:
        lines += [f"User={double_percent(instance.user)}"]
    if instance.config_file is not None:
        lines += [f"Environment={quote(f'WHEELFERRY_CONFIG={instance.config_file}')}"]
    lines += [
        "# The store's share is mounted in here; it may be away, or come later.",
        f"ReadWritePaths={quote(f'-{access.share}')}",
    ]
    if access.is_own_listed:
        lines += [
            "# Both the cache and its state directory are in here.",
            f"ReadWritePaths={quote(access.own)}",
        ]
    if access.socket:
        lines += ["# The daemon's socket is in here, for containers that mount it."]
        if access.is_socket_listed:
            lines += [f"ReadWritePaths={quote(access.socket)}"]
        else:
            lines += [
                "RuntimeDirectory=wheelferry/%i",
                "RuntimeDirectoryPreserve=restart",
            ]
    if access.textfiles:
        lines += [
            "# The file with the daemon's figures is in here, for node_exporter.",
            f"ReadWritePaths={quote(access.textfiles)}",
        ]
    if access.in_home:
        lines += [
            f"# Needed: {_list(access.in_home)}.",
            "ProtectHome=read-only",
        ]
    if access.in_temporary:
        lines += [
            f"# Needed: {_list(access.in_temporary)}.",
            "PrivateTmp=no",
        ]
    return "\n".join([*lines, ""])


def _seal(text: str) -> str:
    return seal(f"{_HINT}{text}", command="systemd install")


def _list(paths: tuple[str, ...]) -> str:
    return ", ".join(repr(path) for path in paths)  # may have a line's end in it
