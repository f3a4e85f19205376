"""Run benchmarks, print their tables, and write them into a document.

Between the lines `<!-- begin NAME -->` and `<!-- end NAME -->` of that document, what is
there is replaced by what part NAME measured.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.document import replace_marked
from benchmarks.measure import INTERRUPTED, Part, warn

NAMES = (
    *("startup", "restore", "pull", "memory", "micro", "scale", "daemon"),
    *("pack_size", "rpcs", "locks", "fleet"),
)
_MAX_LOAD = 0.7


def find_part(name: str) -> Part:
    """Return a part by its name; end all if what it needs is not installed."""
    try:
        module = import_module(f"benchmarks.{name}")
        if hasattr(module, "__path__"):
            module = import_module(f"benchmarks.{name}.__main__")
    except ModuleNotFoundError as exc:
        raise SystemExit(
            f"benchmarks: {exc.name} is not installed for {sys.executable};"
            " `make .venv/.bench` installs all they need, for .venv/bin/python"
        ) from exc
    part = module.PART
    if not isinstance(part, Part):
        raise TypeError(f"benchmarks.{name} has no part")
    return part


def _list_parts() -> str:
    parts = map(find_part, NAMES)
    return "\n".join(
        f"  {part.name:10} {part.summary}" + ("" if part.quick is None else " (quick)")
        for part in parts
    )


def run_alone(
    name: str, arguments: Sequence[str], json_dir: Path | None
) -> tuple[str, int]:
    """Run a part in a process of its own; return what it prints, and its exit code.

    A child's peak of memory is never less than that of the process that started it.
    Whoever interrupts this interrupts the part, too, which then prints what is complete.
    """
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    if json_dir is not None:
        command += ["--json", str(json_dir / f"{name}.json")]
    interrupts: list[int] = []
    earlier = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        part = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, earlier)
    return part.stdout, INTERRUPTED if interrupts else part.returncode


def _expect_marks(path: Path, names: Sequence[str]) -> None:
    """Refuse a document without a place for all tables, before hours of measuring."""
    try:
        document = path.read_text()
    except OSError as exc:
        raise SystemExit(f"benchmarks: {exc}") from exc
    for name in names:
        replace_marked(document, name, "")


def _parse() -> argparse.Namespace:
    """Return what the command line says, once all of that can be done."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure, on this machine; without a NAME, everything.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"{_list_parts()}\n\nOptions of one part: python -m benchmarks.NAME --help",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a part; see below")
    parser.add_argument(
        "--quick", action="store_true", help="less of it: about 5 minutes in all"
    )
    parser.add_argument("--json", type=Path, metavar="DIR", help="write every sample")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="document to put tables into"
    )
    args = parser.parse_args()
    args.names = args.names or NAMES
    if unknown := [name for name in args.names if name not in NAMES]:
        parser.error(f"no benchmark {unknown[0]!r}; there are: {', '.join(NAMES)}")
    if args.markdown is not None:
        _expect_marks(args.markdown, args.names)
    return args


def main() -> None:
    args = _parse()
    left: list[str] = []
    failed: list[str] = []
    for part in map(find_part, args.names):
        arguments = part.quick if args.quick else part.full
        if arguments is None:
            left.append(part.name)
            continue
        if (load := os.getloadavg()[0]) > _MAX_LOAD:
            warn(f"the load is {load:.1f}: something else is running, times will show")
        print(f"## {part.name}: {part.summary}\n", flush=True)
        text, code = run_alone(part.name, arguments, args.json)
        print(text, flush=True)
        if code == INTERRUPTED:
            sys.exit(INTERRUPTED)
        if code:
            warn(f"{part.name} failed: its table is not in the document")
            failed.append(part.name)
        elif args.markdown is not None:
            document = replace_marked(args.markdown.read_text(), part.name, text)
            args.markdown.write_text(document)
    if left:
        warn(f"not in a quick run: {', '.join(left)}")
    if failed:
        sys.exit(f"benchmarks: failed: {', '.join(failed)}; the others are complete")


if __name__ == "__main__":
    main()
