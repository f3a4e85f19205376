"""Make tables, verdicts, plots and predictions of a saved run, without measuring again.

`python -m benchmarks.fleet.report fleet.json --plots docs/plots` is what draws the plots
of the documentation, and `--help` says what else there is.
"""

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.document import replace_marked
from benchmarks.fleet import model, plots, tables
from benchmarks.fleet.group import make_sites
from benchmarks.fleet.sample import Sample, load_samples


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be made of a run beside its tables."""
    parser.add_argument(
        "--plots", type=_folder_of_plots, metavar="DIR", help="draw plots there"
    )
    model.add_options(parser)


def _folder_of_plots(text: str) -> Path:
    """Return a folder; refuses it at once, and not when all is measured."""
    if find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("there is no matplotlib; `make .venv/.bench`")
    return Path(text)


def make_report(samples: Sequence[Sample], args: argparse.Namespace) -> str:
    """Return all that there is to say of a run; draw plots if asked to."""
    parts = [tables.render(samples)]
    for site in make_sites(samples):
        network = model.find_network(args, site.network)
        if network is not None:
            parts += [
                f"### {site}: the model for {network}",
                "Whole jobs, in seconds: as measured → as predicted.",
                model.render(site, network),
            ]
    if args.plots is not None:
        plots.draw(samples, args.plots)
    return "\n\n".join(parts)


def main() -> None:
    """Report on the run that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet.report", description="Report on a saved run."
    )
    parser.add_argument("run", type=Path, help="what `--json` wrote")
    parser.add_argument(
        "--check",
        type=Path,
        metavar="OTHER",
        help="a run on another network, to hold the model against",
    )
    parser.add_argument(
        "--summary",
        type=Path,
        metavar="FILE",
        help="document to put a few sentences into, between its `fleet-summary` marks",
    )
    add_options(parser)
    args = parser.parse_args()
    samples = load_samples(args.run)
    print(make_report(samples, args))
    if args.check is not None:
        print(f"\n{model.render_checks(samples, load_samples(args.check))}")
    if args.summary is not None:
        text = f"{tables.summary(samples)}\n"
        document = args.summary.read_text()
        args.summary.write_text(replace_marked(document, "fleet-summary", text))


if __name__ == "__main__":
    main()
