"""What is to be installed for a user: from the configuration to the texts of the files."""

import os
import sys
from pathlib import Path

import wheelferry
from wheelferry.systemd import render
from wheelferry.systemd.access import plan_access
from wheelferry.systemd.account import load_account, load_settings
from wheelferry.systemd.files import load_templates
from wheelferry.systemd.gather import check_places, find_mount_points, gather_needs
from wheelferry.systemd.render import Instance


def plan_instance(
    user: str,
    *,
    name: str,
    config_file: str | None,
    has_timer: bool,
) -> Instance:
    """Return the service of a user, run by the interpreter that runs this.

    Args:
        user: Who runs the jobs.
        name: Of the instance.
        config_file: Absolute path of the file that is named to the service, if any.
        has_timer: Whether a timer pulls, and not a daemon.

    Raises:
        UnitsError: It could not work.
        ConfigError: The configuration, as that user has it, cannot be used.
    """
    render.check_name(name)
    account = load_account(user)
    python = sys.executable
    needs = gather_needs(
        load_settings(account, python, config_file=config_file),
        account=account,
        config_file=config_file,
        interpreter=_find_interpreter(),
    )
    if has_timer:  # nobody listens
        needs = needs._replace(socket="", metrics_port=None, textfile="")
    access = plan_access(needs, name=name, mount_points=find_mount_points())
    check_places(account, needs, access, python=python, prefix=sys.prefix)
    return Instance(
        name=name,
        user=account.name,
        access=access,
        config_file=config_file,
        has_timer=has_timer,
    )


def render_files(instance: Instance) -> dict[str, str]:
    """Return all files of an instance, by path below the directory of units."""
    return {
        **render_shared(has_timer=instance.has_timer),
        **render.render_instance(load_templates(), instance),
    }


def render_shared(*, has_timer: bool) -> dict[str, str]:
    """Return the files that all instances share, by name."""
    return render.render_templates(
        load_templates(), python=sys.executable, has_timer=has_timer
    )


def _find_interpreter() -> tuple[str, ...]:
    """Return all that the interpreter consists of."""
    package = str(Path(wheelferry.__file__).parent)
    real = os.path.realpath(sys.executable)
    return sys.executable, real, sys.prefix, sys.base_prefix, package
