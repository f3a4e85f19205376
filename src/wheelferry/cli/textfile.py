"""A runner's figures in a file for node_exporter, where no daemon keeps one."""

from pathlib import Path

import click

from wheelferry.cli.writing import find_target, write_target
from wheelferry.config.model import Config
from wheelferry.disk import Disk, clock
from wheelferry.ops.known import read_known
from wheelferry.ops.metrics import render_known


def write_textfile(config: Config, path: str) -> tuple[Path, int]:
    """Write what this runner knows, without asking the store; return where, and its size.

    Raises:
        click.UsageError: The collector would not read a file of that name.
        OutputLost: It cannot be written.
    """
    if not path.endswith(".prom"):
        raise click.UsageError(
            f"--textfile is {path!r}, but must end in .prom: node_exporter reads no other"
        )
    target = find_target(path)
    known = read_known(
        config.cache.state,
        disk=Disk(),
        now_s=clock.now_s(),
        store_max_bytes=config.gc.max_bytes,
        cache_max_bytes=config.trim.max_bytes,
    )
    data = render_known(known, runner=config.runner.name).encode()
    write_target(target, data)
    return target, len(data)
