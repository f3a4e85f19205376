"""Restore every pack in a folder below another one: one process, as a pull is."""

import argparse
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from wheelferry.disk import Disk
from wheelferry.pack.pool import Pool
from wheelferry.pack.reader import extract_pack


def extract_all(packs: Path, target: Path, *, readers: int, workers: int) -> None:
    """Restore each file of `packs`, which is named by its digest, to a tree."""
    disk = Disk()
    # The largest first, so that no thread is left alone with one at the end.
    found = sorted(
        ((e.stat().st_size, e.name) for e in os.scandir(packs)), reverse=True
    )
    waiting: Iterator[tuple[int, str]] = iter(found)
    errors: list[BaseException] = []

    def restore_some(pool: Pool) -> None:
        try:
            for size_bytes, digest in waiting:
                tree = target / digest
                disk.make_dir(tree)
                with (packs / digest).open("rb", buffering=0) as stream:
                    extract_pack(
                        stream.read,
                        digest=digest,
                        size_bytes=size_bytes,
                        target=tree,
                        disk=disk,
                        pool=pool,
                    )
        except BaseException as exc:  # noqa: BLE001  (raised by the main thread)
            errors.append(exc)

    with Pool(workers) as pool:
        threads = [
            threading.Thread(target=restore_some, args=(pool,)) for _ in range(readers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.extract")
    parser.add_argument("packs", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    extract_all(args.packs, args.target, readers=args.readers, workers=args.workers)


if __name__ == "__main__":
    main()
