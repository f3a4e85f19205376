"""Do one operation on a store in this process, and print what it took, as JSON.

`python -m benchmarks.scale.work NAME WAY SHELF LOCAL`: SHELF is what `shelf` has made, or a
mount of it; LOCAL is for this runner's cache and views.  Operations are in an order: later
ones use the views that earlier ones have made.

Steps are counted where the program makes them: each is a system call on the store, or a few
for one file; closing is not counted.
"""

import argparse
import cProfile
import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Any, Final, TypeVar

from benchmarks.scale.shelf import LOOSE, STORE
from benchmarks.steps.__main__ import cpu_s, peak_bytes
from tests.support.tiers import Ferry
from wheelferry.disk import Disk
from wheelferry.events import discard
from wheelferry.ops.compact import compact
from wheelferry.ops.figures import summarize
from wheelferry.ops.fleet import read_fleet
from wheelferry.ops.gc_content import find_content
from wheelferry.ops.gc_due import is_due
from wheelferry.ops.gc_plan import Budget, plan_gc
from wheelferry.ops.status import read_status
from wheelferry.ops.tiers import VIEW, Tiers
from wheelferry.ops.verify import verify_store
from wheelferry.ops.verify_scope import Scope
from wheelferry.store.reading import Reads
from wheelferry.uvcache.formats import FORMATS

T = TypeVar("T")

OURS: Final = "ours"
_MADE_OF_OTHERS: Final = frozenset({"create_file", "make_dirs_in"})
_SPARE = 5
"""A removal is planned that takes one in so many packs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Where to work: the stores, and the runner's own folder."""

    shelf: Path
    local: Path

    def ferry(self, name: str) -> Ferry:
        """Return a runner of one of the stores; its view is kept."""
        return Ferry(cache=self.local / name / "cache", store=self.shelf / name)

    @property
    def store(self) -> Path:
        """That with packs."""
        return self.shelf / STORE

    @property
    def loose(self) -> Path:
        """That with a catalog that was never compacted."""
        return self.shelf / LOOSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is measured.

    Attributes:
        title: For people.
        of: Which of the stores it is done to.
        run: Does it, with both tiers open.
        floor: What it is compared with, in words.
        read: Reads what cannot be done without.
        ready: Makes ready what is on the runner.
    """

    title: str
    run: Callable[[Tiers], object]
    floor: str
    read: Callable[[Shelf], object]
    of: str = STORE
    ready: Callable[[Ferry], object] = lambda _: None


def _forget_view(ferry: Ferry) -> None:
    for path in ferry.state.glob(f"{VIEW}*"):
        path.unlink()


def _undo_merges(ferry: Ferry) -> None:
    """Have the catalog as it was before it was compacted; the view tells what came."""
    kept = ferry.state / f"kept-{VIEW}"
    if kept.exists():
        for segment in _segments(ferry.state / VIEW) - _segments(kept):
            (ferry.store / "catalog" / f"{segment}.seg").unlink()
        _forget_view(ferry)
        shutil.copy(kept, ferry.state / VIEW)
    else:
        shutil.copy(ferry.state / VIEW, kept)


def _segments(view: Path) -> set[str]:
    with closing(sqlite3.connect(view)) as db:
        return {segment for (segment,) in db.execute("SELECT id FROM segments")}


def _refresh(tiers: Tiers) -> None:
    if tiers.refresh():
        raise SystemExit("not all of the catalog can be read")


def _plan_removal(tiers: Tiers) -> None:
    content = find_content(tiers)
    budget = Budget(max_bytes=content.object_bytes * (_SPARE - 1) // _SPARE)
    if not plan_gc(content, budget).victims:
        raise SystemExit("nothing would be removed")


def _look_for_removal(tiers: Tiers) -> None:
    (tiers.state / "gc-looked").touch()
    if is_due(tiers, Budget(max_bytes=1 << 50, keep_free_bytes=1)):
        raise SystemExit("a removal is due")


def _status(tiers: Tiers) -> None:
    ferry_rules = Ferry(cache=tiers.cache, store=Path()).rules
    found = read_status(
        tiers,
        promote_rules=ferry_rules,
        pull_rules=ferry_rules,
        format_ids=[row.id for row in FORMATS],
    )
    if not found.records:
        raise SystemExit("the store is empty")


def _stats(tiers: Tiers) -> None:
    summarize(read_fleet(tiers.store), since_day=None)


def _verify_listing(tiers: Tiers) -> None:
    report = verify_store(tiers.store, discard, scope=Scope(since_s=0))
    if report.findings:
        raise SystemExit(f"there is something wrong: {report.findings[0]}")


def _compact(tiers: Tiers) -> None:
    compact(tiers)


def _list_catalog(shelf: Shelf) -> None:
    os.listdir(shelf.store / "catalog")  # noqa: PTH208 - as quick as can be


def _read_catalog(catalog: Path) -> None:
    for name in os.listdir(catalog):  # noqa: PTH208
        hashlib.sha256((catalog / name).read_bytes()).digest()


def _look_at_all(shelf: Shelf) -> None:
    """List all that the store has, look at each file, and read what runners said."""
    root = str(shelf.store)
    for prefix in os.listdir(f"{root}/objects"):  # noqa: PTH208
        for name in os.listdir(f"{root}/objects/{prefix}"):  # noqa: PTH208
            os.lstat(f"{root}/objects/{prefix}/{name}")
    for name in os.listdir(f"{root}/catalog"):  # noqa: PTH208
        os.lstat(f"{root}/catalog/{name}")
    _read_usage(shelf)


def _read_usage(shelf: Shelf) -> None:
    for path in (shelf.store / "usage").iterdir():
        path.read_bytes()


def _look_and_read(shelf: Shelf) -> None:
    _look_at_all(shelf)
    _read_catalog(shelf.store / "catalog")


def _read_view(shelf: Shelf) -> None:
    _list_catalog(shelf)
    with (shelf.ferry(STORE).state / VIEW).open("rb", buffering=0) as stream:
        while stream.read(1 << 20):
            pass


_READ_VIEW = "read the view's file"
_LOOK = "list, look at each file"

OPERATIONS: Final[Mapping[str, Operation]] = {
    "refresh": Operation(
        title="refresh, cold",
        run=_refresh,
        ready=_forget_view,
        floor="read the segments",
        read=lambda shelf: _read_catalog(shelf.store / "catalog"),
    ),
    "refresh-warm": Operation(
        title="refresh, nothing new",
        run=_refresh,
        floor="list the catalog",
        read=_list_catalog,
    ),
    "status": Operation(
        title="`status`", run=_status, floor=_READ_VIEW, read=_read_view
    ),
    "stats": Operation(
        title="`stats` of all runners",
        run=_stats,
        floor="read what runners said",
        read=_read_usage,
    ),
    "gc": Operation(
        title="`gc --dry-run`", run=_plan_removal, floor=_LOOK, read=_look_at_all
    ),
    "gc-due": Operation(
        title="the daemon's look whether a gc is due",
        run=_look_for_removal,
        floor=_READ_VIEW,
        read=_read_view,
    ),
    "verify": Operation(
        title="`verify`, without the packs' contents",
        run=_verify_listing,
        floor=f"{_LOOK}, read the segments",
        read=_look_and_read,
    ),
    "refresh-loose": Operation(
        title="refresh, cold, never compacted",
        of=LOOSE,
        run=_refresh,
        ready=_forget_view,
        floor="read the segments",
        read=lambda shelf: _read_catalog(shelf.loose / "catalog"),
    ),
    "compact": Operation(
        title="compact all of that",
        of=LOOSE,
        run=_compact,
        ready=_undo_merges,
        floor="read the segments",
        read=lambda shelf: _read_catalog(shelf.loose / "catalog"),
    ),
}


def counted(kind: type[T], counts: Counter[str]) -> T:
    """Make an object of a class whose public methods count their calls."""

    def count(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            counts[name] += 1
            return method(*args, **kwargs)

        return call

    methods = {
        name: count(name, method)
        for name, method in vars(kind).items()
        if callable(method) and not name.startswith("_") and name not in _MADE_OF_OTHERS
    }
    made: T = type(f"Counted{kind.__name__}", (kind,), methods)()
    return made


def work(
    name: str, way: str, shelf: Shelf, call: Callable[[Callable[[], object]], object]
) -> dict[str, Any]:
    """Do it, by way of `call`, and return what it took."""
    operation = OPERATIONS[name]
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        if way == OURS:
            do = _open(operation, shelf, counts, stack.enter_context)
        else:
            do = partial(operation.read, shelf)
        counts.clear()
        before_s, began_s = cpu_s(), time.perf_counter()
        call(do)
        return {
            "elapsed_s": time.perf_counter() - began_s,
            "cpu_s": cpu_s() - before_s,
            "peak_bytes": peak_bytes(),
            "steps": dict(counts),
        }


def _open(
    operation: Operation,
    shelf: Shelf,
    counts: Counter[str],
    enter: Callable[[AbstractContextManager[Tiers]], Tiers],
) -> Callable[[], object]:
    ferry = shelf.ferry(operation.of)
    ferry.cache.mkdir(parents=True, exist_ok=True)
    ferry.state.mkdir(exist_ok=True)
    operation.ready(ferry)
    tiers = enter(ferry.open(counted(Disk, counts), reads=counted(Reads, counts)))
    return partial(operation.run, tiers)


def main() -> None:
    """Work as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.work")
    parser.add_argument("name", choices=OPERATIONS)
    parser.add_argument("way")
    parser.add_argument("shelf", type=Path)
    parser.add_argument("local", type=Path)
    parser.add_argument("--profile", type=Path, metavar="FILE", help="of cProfile")
    args = parser.parse_args()
    shelf = Shelf(shelf=args.shelf, local=args.local)
    profile = cProfile.Profile()
    call = profile.runcall if args.profile else _call
    print(json.dumps(work(args.name, args.way, shelf, call)))
    if args.profile:
        profile.dump_stats(args.profile)


def _call(operation: Callable[[], object]) -> object:
    return operation()


if __name__ == "__main__":
    main()
