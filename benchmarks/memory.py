"""Peak memory of whole processes, with one wheel of 500 MB in the cache."""

import argparse
import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import MEGABYTE, Part, Report, add_folder, scratch, table
from benchmarks.runner import FORMATS, make_runner

_LARGE_BYTES = 400 * MEGABYTE
_SMALL_BYTES = 25_000
_SMALL_FILES = 4_000
_WHEEL = "big-1.0-py3-none-any.whl"
_LIMIT_BYTES = 150 * MEGABYTE


def write_tree(archive: Path) -> None:
    """Write the tree of a wheel: one file of 400 MB and 4,000 of 25 kB, and a RECORD."""
    info = archive / "big-1.0.dist-info"
    info.mkdir(parents=True)
    files = {"big/lib/libbig.so": _LARGE_BYTES}
    for number in range(_SMALL_FILES):
        files[f"big/m{number % 50}/mod{number}.py"] = _SMALL_BYTES
    with (info / "RECORD").open("w") as record:
        for path, size_bytes in files.items():
            target = archive / path
            target.parent.mkdir(parents=True, exist_ok=True)
            hasher = hashlib.sha256()
            with target.open("wb") as stream:
                for block in _blocks(path, size_bytes):
                    stream.write(block)
                    hasher.update(block)
            digest = base64.urlsafe_b64encode(hasher.digest()).rstrip(b"=").decode()
            record.write(f"{path},sha256={digest},{size_bytes}\n")
        record.write(f"{info.name}/RECORD,,\n")


def _blocks(seed: str, size_bytes: int) -> Iterator[bytes]:
    """Yield what compresses about as code does: half noise, half repetition."""
    block = hashlib.shake_256(seed.encode()).digest(32_768) + bytes(32_768)
    for at in range(0, size_bytes, len(block)):
        label = at.to_bytes(8, "little")
        yield (label + block[len(label) :])[: size_bytes - at]


def run(args: argparse.Namespace) -> Report:
    with scratch(args.folder) as folder:
        first = make_runner(folder, "first")
        write_tree(first.add_wheel(_WHEEL, 0))
        second = make_runner(folder, "second", settings=FORMATS)
        peaks = {
            "wheelferry promote": first.wheelferry("promote", "--strict"),
            "wheelferry pull": second.wheelferry("pull", "--strict"),
            "wheelferry verify": second.wheelferry("verify"),
            "wheelferry pull, nothing to do": second.wheelferry("pull", "--strict"),
        }
        if len(list(second.cache.glob("archive-v0/*/big/lib/libbig.so"))) != 1:
            raise SystemExit("the wheel was not restored")
        [pack] = (folder / "store/objects").glob("*/*")
        pack_bytes = pack.stat().st_size
    tree_bytes = _LARGE_BYTES + _SMALL_FILES * _SMALL_BYTES
    rows = [
        (f"`{name}`", f"{usage.peak_bytes / MEGABYTE:.0f}")
        for name, usage in peaks.items()
    ]
    return Report(
        text=f"One wheel of {tree_bytes / MEGABYTE:.0f} MB in {_SMALL_FILES + 1:,} "
        f"files, {pack_bytes / MEGABYTE:.0f} MB as a pack. The goal is less than "
        f"{_LIMIT_BYTES / MEGABYTE:.0f} MB.\n\n"
        + table(("process", "peak resident, MB"), rows),
        results={
            "tree_bytes": tree_bytes,
            "pack_bytes": pack_bytes,
            "peak_bytes": {name: usage.peak_bytes for name, usage in peaks.items()},
        },
    )


PART = Part(
    name="memory",
    summary="peak memory of promote, pull and verify, with one wheel of 500 MB",
    add_options=add_folder,
    run=run,
)

if __name__ == "__main__":
    PART.main()
