"""Runners and a store to measure with: uv caches that are made without uv.

An entry is what uv leaves of a downloaded wheel: a pointer, a link, an archive.  Nothing
but uv reads the cache policy in a pointer, so that is made up.
"""

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import Usage, find_wheelferry, make_environ, run
from wheelferry.uvcache.entry import Hash
from wheelferry.uvcache.formats import find_bucket
from wheelferry.uvcache.pointer import Pointer
from wheelferry.uvcache.wheelname import parse_wheel_name

FORMATS = '[uv]\nversions = ["0.13.9"]\n'
"""Settings for a runner whose cache is empty: restore what that uv reads."""

BUCKET = "wheels-v8"  # of uv 0.13.9
_POLICY = b"https://files.example/packages/some.whl" + bytes(25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """One runner: its home with a configuration, its cache and its state."""

    home: Path
    store: Path

    @property
    def cache(self) -> Path:
        """Root of its uv cache."""
        return self.home / ".cache/uv"

    def wheelferry(self, *args: str) -> Usage:
        """Run the console script as this runner."""
        return run((find_wheelferry(), *args), make_environ(self.home))

    def dry_run(self, verb: str) -> dict[str, object]:
        """Return what `promote` or `pull` says that it would do."""
        command = (find_wheelferry(), verb, "--dry-run", "--json")
        done = subprocess.run(
            command,
            env=make_environ(self.home),
            capture_output=True,
            check=True,
        )
        plan = json.loads(done.stdout)
        assert isinstance(plan, dict)
        return plan

    def add_wheel(self, filename: str, number: int) -> Path:
        """Add an entry, and return its archive: a path where nothing is yet."""
        wheel = parse_wheel_name(filename.removesuffix(".whl"))
        if wheel is None:
            raise ValueError(f"{filename} is no wheel's name")
        archive = self.cache / "archive-v0" / f"archive{number:08}"
        archive.parent.mkdir(parents=True, exist_ok=True)
        shard = self.cache / BUCKET / "pypi" / wheel.name
        shard.mkdir(parents=True, exist_ok=True)
        stem = f"{wheel.version}-{wheel.tags}"
        (shard / f"{stem}.http").write_bytes(
            make_pointer(archive.name, filename).with_id(archive.name)
        )
        (shard / stem).symlink_to(f"../../../archive-v0/{archive.name}")
        return archive


def make_runner(folder: Path, name: str, *, settings: str = "") -> Runner:
    """Make a runner, and the store in `folder` if it is the first.

    `settings` are more lines for its configuration.
    """
    store, home = folder / "store", folder / name
    config = home / ".config/wheelferry/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        f'[store]\npath = "{store}"\n[runner]\nname = "{name}"\n{settings}'
    )
    runner = Runner(home=home, store=store)
    runner.cache.mkdir(parents=True)
    if not store.exists():
        runner.wheelferry("init")
    return runner


def make_pointer(archive_id: str, filename: str, policy: bytes = _POLICY) -> Pointer:
    """Return the pointer of a wheel's entry."""
    [row] = find_bucket(BUCKET)
    digest = hashlib.sha256(filename.encode()).hexdigest()
    return Pointer(
        target_id=archive_id,
        hashes=(Hash(algorithm="sha256", value=digest),),
        filename=filename,
        size_bytes=1,
        shape=row.shape,
        framing=row.framing,
        payload=[archive_id, [{"Sha256": digest}], filename, 0, 1],
        policy=policy,
    )
