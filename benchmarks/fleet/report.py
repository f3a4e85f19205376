"""Make tables, verdicts, plots and predictions of saved runs, without measuring again.

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
from benchmarks.fleet.sample import Sample, join_runs, load_run


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
    parts += filter(None, [model.render_checks(samples)])
    if args.plots is not None:
        plots.draw(samples, args.plots)
    return "\n\n".join(parts)


def main() -> None:
    """Report on the runs that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet.report", description="Report on saved runs."
    )
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="what `--json` wrote"
    )
    parser.add_argument(
        "--check",
        type=Path,
        metavar="OTHER",
        help="another run, on several networks in turns, to hold the model against",
    )
    parser.add_argument(
        "--tables",
        type=Path,
        metavar="FILE",
        help="document to put it into, between its `fleet` marks",
    )
    parser.add_argument(
        "--summary",
        type=Path,
        metavar="FILE",
        help="document to put a few sentences into, between its `fleet-summary` marks",
    )
    add_options(parser)
    args = parser.parse_args()
    runs = [load_run(path) for path in args.runs]
    samples = join_runs(runs)
    heads = [line for run in runs for line in (run.machine, run.conditions)]
    text = "\n\n".join([*dict.fromkeys(heads), make_report(samples, args)])
    if args.check is not None:
        text += f"\n\n{model.render_checks(load_run(args.check).samples)}"
    print(text)
    _write(args.tables, "fleet", text)
    _write(args.summary, "fleet-summary", tables.summary(samples))


def _write(path: Path | None, name: str, text: str) -> None:
    if path is not None:
        path.write_text(replace_marked(path.read_text(), name, f"{text}\n"))


if __name__ == "__main__":
    main()
