"""What a pull on this machine is for, as the configuration has it.

A module of its own, to be loaded while the store's process starts.
"""

from typing import TYPE_CHECKING, NamedTuple

from wheelferry.config.model import Config
from wheelferry.ops.formats import find_formats
from wheelferry.ops.target import Target, find_target
from wheelferry.ops.tiers import Tiers
from wheelferry.uvcache.formats import FormatId

if TYPE_CHECKING:  # with a project only
    from wheelferry.project.inputs import Inputs


class Aim(NamedTuple):
    """Which formats are restored, the preferred ones first, and for whom."""

    formats: tuple[FormatId, ...]
    target: Target


def find_aim(config: Config, tiers: Tiers, inputs: "Inputs | None" = None) -> Aim:
    """Find out which uv versions and Pythons count, and what the job needs.

    `inputs` is what says that, if anything does.

    Raises ProjectError, ProjectRefused.
    """
    formats = find_formats(tiers, versions=config.uv.versions, paths=config.uv.paths)
    target = find_target(
        tiers,
        paths=config.python.paths,
        versions=config.python.versions,
        inputs=inputs,
    )
    return Aim(formats, target)
