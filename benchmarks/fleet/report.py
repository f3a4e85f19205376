"""Make tables, verdicts and plots again from a saved run, without measuring.

python -m benchmarks.fleet.report fleet.json --plots docs/plots \\
        --write docs/benchmarks.md:fleet --write README.md:fleet-summary
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fleet import model, tables
from benchmarks.fleet.group import make_sites
from benchmarks.fleet.sample import Sample


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be made of a run beside its tables."""
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw plots there")
    model.add_options(parser)


def render(samples: Sequence[Sample], args: argparse.Namespace) -> str:
    """Return all that there is to say of a run, and draw its plots if asked to."""
    text = [tables.render(samples)]
    for site in make_sites(samples):
        network = model.find_network(args, site.network)
        if network is not None:
            text += [
                f"### {site}, as modelled for {network}",
                model.render(site, network),
            ]
    if args.plots is not None:
        from benchmarks.fleet import plots  # noqa: PLC0415 - wants matplotlib

        plots.draw(samples, args.plots)
    return "\n\n".join(text)
