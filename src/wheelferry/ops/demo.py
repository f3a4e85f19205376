"""The main job, shown on two runners in a temporary folder, with real uv.

Runner A installs from the index and promotes; runner B, with an empty cache, pulls, and
then installs with `--offline`: what it has, it has from the store.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from wheelferry.disk import Disk, clock
from wheelferry.errors import CacheError, ConfigError
from wheelferry.events import Event, Level, Sink
from wheelferry.native.machine import read_machine
from wheelferry.ops.promote import apply_promote, plan_promote
from wheelferry.ops.pull import apply_pull, plan_pull
from wheelferry.ops.rules import Rules
from wheelferry.ops.tiers import LIBRARIES, VIEW, Tiers
from wheelferry.sample import Index, render_pyproject
from wheelferry.sample.fallback import can_compile, make_fallback
from wheelferry.store.create import create_store
from wheelferry.store.posix import PosixStore
from wheelferry.store.view import View
from wheelferry.uvcache.formats import choose_formats
from wheelferry.uvcache.installed import find_binaries, read_versions
from wheelferry.uvcache.reading import find_buckets
from wheelferry.uvcache.scan import scan_cache

REQUIREMENTS = (
    "svglib==1.5.1",  # an sdist only, and of the report that began this project
    "iniconfig==2.0.0",
    "markupsafe==3.0.2",
    "msgpack==1.1.0",
    "rich==13.9.4",
)
_TIMEOUT_S = 600
_KEPT = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX.*|EXTRA_INDEX_URL|FIND_LINKS|INSECURE_HOST|NATIVE_TLS"
    r"|SYSTEM_CERTS|HTTP_TIMEOUT|KEYRING_PROVIDER|CONFIG_FILE)"
)
"""Of uv's variables, those that say where packages come from; no others are passed on:
`UV_PROJECT_ENVIRONMENT` would have uv install into an environment of the user's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRow:
    """What one runner needed.

    Attributes:
        source: Where it had its packages from.
        transfer_bytes: Of package files, without the index's pages; None if that uv does
            not record sizes.
        duration_s: Until its environment was complete.
        builds: Wheels that it built.
    """

    name: str
    source: str
    transfer_bytes: int | None
    duration_s: float
    builds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """What was measured.

    Attributes:
        uv: Its version.
        index: In words.
        folder: Where all of it is; None if it was removed.
        files: In the site-packages of B.
        files_linked: Those of them that are hardlinks into B's cache, by inode.
    """

    uv: str
    index: str
    folder: Path | None
    runners: tuple[DemoRow, DemoRow]
    files: int
    files_linked: int

    @property
    def builds_avoided(self) -> int:
        """Wheels that A built, and B did not."""
        first, second = self.runners
        return first.builds - second.builds


def run_demo(
    *,
    environ: Mapping[str, str],
    uv_paths: Sequence[Path],
    is_kept: bool,
    emit: Sink,
) -> DemoReport:
    """Run it; with `is_kept` the folder stays.

    Raises:
        ConfigError: There is no uv.
        CacheError: uv failed, or B's environment could not be made offline.
        StoreError: The temporary folder cannot hold a store.
    """
    disk = Disk()
    folder = Path(tempfile.mkdtemp(prefix="wheelferry-demo-"))
    try:
        with ExitStack() as stack:
            uv = _find_uv(uv_paths, folder, disk)
            stage = _Stage(folder, uv, dict(environ), disk, emit)
            index = stage.lock(stack)
            return stage.play(index, folder if is_kept else None)
    finally:
        if not is_kept:
            disk.remove_tree(folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Uv:
    binary: Path
    release: tuple[int, ...]


def _find_uv(uv_paths: Sequence[Path], folder: Path, disk: Disk) -> _Uv:
    """Return the newest uv of the given directories, or beside this interpreter."""
    beside = Path(sys.executable).parent
    best: _Uv | None = None
    for binary in find_binaries([beside, *uv_paths]):
        found = read_versions(
            [binary], memory=folder / "uv-versions", disk=disk, now_s=clock.now_s()
        )
        for release in found.releases:
            if best is None or release > best.release:
                best = _Uv(binary=binary, release=release)
    if best is None:
        raise ConfigError(
            "the demo needs uv, and there is none",
            hint="install uv where PATH finds it, or set uv.paths; in a checkout of"
            " wheelferry, `make demo` brings one along",
        )
    return best


class _Stage:
    """The folder, and what happens in it."""

    def __init__(
        self, folder: Path, uv: _Uv, environ: dict[str, str], disk: Disk, emit: Sink
    ) -> None:
        self._folder = folder
        self._uv = uv
        self._disk = disk
        self._emit = emit
        self._environ = {
            name: value
            for name, value in environ.items()
            if not name.startswith("UV_") or _KEPT.fullmatch(name)
        }
        self._environ.pop("VIRTUAL_ENV", None)
        self._environ.update(UV_PYTHON_DOWNLOADS="never", NO_COLOR="1")
        self._pyproject = ""
        self._lockfile = b""

    def lock(self, stack: ExitStack) -> str:
        """Make the project and its lock; return in words which index it is from."""
        self._pyproject = _render(REQUIREMENTS, None)
        tried = self._uv_in("lock", "lock", is_checked=False)
        if tried.returncode == 0:
            index = "your package index"
        else:
            self._say(
                "no index that has the demo's packages can be reached; it goes on with "
                "small packages of its own, from an index on the loopback",
                level=Level.WARNING,
            )
            for name in [name for name in self._environ if _KEPT.fullmatch(name)]:
                del self._environ[name]  # they would win over the demo's own index
            dists = make_fallback(native=can_compile())
            server = stack.enter_context(Index(dists))
            self._pyproject = _render(
                sorted({dist.name for dist in dists}), server.simple_url
            )
            self._uv_in("lock", "lock")
            index = f"an index of the demo's own ({len(dists)} small packages)"
        self._lockfile = (self._folder / "lock/uv.lock").read_bytes()
        return index

    def play(self, index: str, kept: Path | None) -> DemoReport:
        """Let A install and promote, B pull and install."""
        store = self._folder / "store"
        created = create_store(store, disk=self._disk, now_s=clock.now_s())
        self._say(f"runner A: uv {self._version()} sync, with an empty cache")
        start_s = clock.monotonic_s()
        cold = self._uv_in("a", "sync", "--frozen")
        cold_s = clock.monotonic_s() - start_s
        scan = scan_cache(self._folder / "a/cache")
        sizes = [entry.info.size_bytes for entry in scan.entries]
        self._say("runner A: promotes")
        with self._tiers("a", store, created.info.id) as tiers:
            apply_promote(tiers, plan_promote(tiers, Rules()))
        self._say("runner B: pulls into an empty cache, then syncs offline")
        start_s = clock.monotonic_s()
        with self._tiers("b", store, created.info.id) as tiers:
            formats = choose_formats([self._uv.release], find_buckets(tiers.cache))
            pulled = apply_pull(tiers, plan_pull(tiers, Rules(), formats))
        warm = self._uv_in("b", "sync", "--frozen", "--offline")
        warm_s = clock.monotonic_s() - start_s
        files, linked = self._count_links()
        return DemoReport(
            uv=self._version(),
            index=index,
            folder=kept,
            runners=(
                DemoRow(
                    name="A",
                    source="the index",
                    transfer_bytes=None if None in sizes else sum(filter(None, sizes)),
                    duration_s=cold_s,
                    builds=_count_builds(cold.stderr),
                ),
                DemoRow(
                    name="B",
                    source="the store",
                    transfer_bytes=pulled.bytes_read,
                    duration_s=warm_s,
                    builds=_count_builds(warm.stderr),
                ),
            ),
            files=files,
            files_linked=linked,
        )

    @contextmanager
    def _tiers(self, runner: str, store: Path, store_id: str) -> Iterator[Tiers]:
        root = self._folder / runner
        state = root / "state"
        self._disk.make_dirs(state)
        with View.open(state / VIEW, store_id=store_id, disk=self._disk) as view:
            yield Tiers(
                cache=root / "cache",
                state=state,
                store=PosixStore(store, disk=self._disk, runner=runner),
                store_id=store_id,
                view=view,
                runner=runner,
                machine=read_machine(state / LIBRARIES, self._disk),
                disk=self._disk,
                emit=self._emit,
                now=clock.now_s,
            )

    def _uv_in(
        self, runner: str, *args: str, is_checked: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run uv in a runner's checkout, with the runner's own cache."""
        root = self._folder / runner
        self._disk.make_dirs(root)
        for name, data in (
            ("pyproject.toml", self._pyproject.encode()),
            ("uv.lock", self._lockfile),
        ):
            if data:
                self._disk.unlink(root / name)
                self._disk.create_file(root / name, data)
        options = ("--python", sys.executable, "--cache-dir", str(root / "cache"))
        done = subprocess.run(  # noqa: S603
            [self._uv.binary, *args, *options],
            cwd=root,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        if is_checked and done.returncode != 0:
            raise CacheError(
                f"`uv {' '.join(args)}` of runner {runner} failed: {done.stderr.strip()}",
                hint="run `wheelferry demo --keep` and look into the folder it names",
            )
        return done

    def _count_links(self) -> tuple[int, int]:
        """Return how many files B's site-packages has, and how many are in its cache."""
        cached = {
            _identity(path)
            for path in (self._folder / "b/cache/archive-v0").rglob("*")
            if path.is_file()
        }
        (packages,) = (self._folder / "b/.venv").glob("lib/*/site-packages")
        installed = [path for path in packages.rglob("*") if path.is_file()]
        linked = [path for path in installed if _identity(path) in cached]
        return len(installed), len(linked)

    def _version(self) -> str:
        return ".".join(map(str, self._uv.release))

    def _say(self, message: str, *, level: Level = Level.INFO) -> None:
        self._emit(Event(name="step.begun", level=level, message=message))


def _render(requirements: Sequence[str], index_url: str | None) -> str:
    return render_pyproject(
        requirements=requirements, index_url=index_url, requires_python=">=3.11"
    )


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _count_builds(stderr: str) -> int:
    return len(re.findall(r"(?m)^ +Built ", stderr))
