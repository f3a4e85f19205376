"""`wheelferry pull` with nothing to do, against the start of Python itself."""

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.measure import Part, Report, add_folder, scratch, spread, table
from benchmarks.process import Usage, find_wheelferry, make_environ, run
from benchmarks.runner import make_runner

_ENTRIES = 20


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=40)
    add_folder(parser)


def measure(args: argparse.Namespace) -> Report:
    commands = {
        "python -c pass": (sys.executable, "-c", "pass"),
        "python -c 'import click'": (sys.executable, "-c", "import click"),
        "wheelferry pull": (find_wheelferry(), "pull"),
    }
    samples: dict[str, list[Usage]] = {name: [] for name in commands}
    with scratch(args.folder) as folder:
        source = make_runner(folder, "source")
        for number in range(_ENTRIES):
            _add_small_wheel(
                source.add_wheel(f"p{number}-1.0-py3-none-any.whl", number)
            )
        source.wheelferry("promote", "--strict")
        environ = make_environ(source.home)
        _expect_nothing_to_do(source.dry_run("pull"))
        for number in range(-2, args.rounds):  # the first rounds write byte code
            for name, command in commands.items():
                usage = run(command, environ)
                if number >= 0:
                    samples[name].append(usage)
    bare = [usage.elapsed_s for usage in samples["python -c pass"]]
    rows = [
        (
            f"`{name}`",
            spread([1000 * usage.elapsed_s for usage in of], digits=0),
            f"{statistics.median(_ratios(of, bare)):.1f}",
            f"{statistics.median(1000 * usage.cpu_s for usage in of):.0f}",
        )
        for name, of in samples.items()
    ]
    columns = ("command", "ms", "times `pass`", "CPU ms")
    return Report(
        text=f"{_ENTRIES} entries in the store, all of them in the cache; whole "
        f"processes, {args.rounds} rounds, median (range). Byte code is compiled: "
        "`PYTHONDONTWRITEBYTECODE` is unset for the children.\n\n"
        + table(columns, rows),
        results={
            "entries": _ENTRIES,
            "samples": {n: [asdict(u) for u in of] for n, of in samples.items()},
        },
    )


def _ratios(of: Sequence[Usage], bare: Sequence[float]) -> list[float]:
    return [usage.elapsed_s / base for usage, base in zip(of, bare, strict=True)]


def _add_small_wheel(archive: Path) -> None:
    name = f"p{int(archive.name.removeprefix('archive'))}"
    info = archive / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "RECORD").write_text(f"{info.name}/RECORD,,\n")


def _expect_nothing_to_do(plan: dict[str, object]) -> None:
    if plan["present"] != _ENTRIES or plan["wanted"]:
        raise SystemExit(f"a pull would have something to do: {plan}")


PART = Part(
    name="startup",
    summary="`wheelferry pull` with nothing to do, against the start of Python",
    add_options=add_options,
    run=measure,
    quick=("--rounds=10",),
)

if __name__ == "__main__":
    PART.main()
