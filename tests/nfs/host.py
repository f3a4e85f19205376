"""Wheelferry on a machine with systemd, as its admin installs it, and uv for its users.

with open_host() as host:
    shelf = Shelf(host, "built", "large:10")
    one, two = (install(host, user) for user in USERS)
    one.uv_install("built")
    two.wait_for("built")
"""

import json
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tests.nfs.rig import Ran
from tests.nfs.rig.host import SHARE, USERS, Host
from tests.support.uvs import installed_uv
from wheelferry.sample import BUILD_LOG

PYTHON = "/opt/wheelferry/bin/python"
WHEELFERRY = "/opt/wheelferry/bin/wheelferry"
GROUP = "ci"
"""Who may write to the store."""

CONFIGURATION = "/etc/wheelferry/config.toml"
SETTINGS = f"""
[store]
path = "{SHARE}"
timeout = "5s"

[daemon]
poll = "2s"
"""

PACKAGES = (
    *("built", "built-while-dead", "built-while-cut", "built-at-boot", "built-later"),
    *("heavy:10", "promoted:24", "caught:24", "pulled:24", "flooded:1", "polled:1"),
    *("polled-too:1", "reloaded:1", "second:1", "timed:1"),
)
"""Of the index; a test that installs one is the only one to do so."""

STOP_S = 5.0
"""How long a stop may take."""

_UV = "/opt/uv/uv"
_CHECKOUT = "/opt/checkout"
_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_BASE_PYTHON = f"/opt/python/bin/{_VERSION}"
_PORT = 8080
_INDEX = f"http://127.0.0.1:{_PORT}/simple"

_VENV = f"""
mkdir -p /opt/wheelferry/bin /opt/wheelferry/lib/{_VERSION}/site-packages
cd /opt/wheelferry
ln -s {_BASE_PYTHON} bin/python
echo home = /opt/python/bin >pyvenv.cfg
printf '{_CHECKOUT}/src\\n/opt/packages\\n' >lib/{_VERSION}/site-packages/wheelferry.pth
cat >bin/wheelferry <<END
#!{PYTHON}
import sys
from wheelferry.cli.app import main
sys.exit(main())
END
chmod 755 bin/wheelferry
for library in /opt/python/lib/libpython*.so*; do
  [ ! -e "$library" ] || ln -sf "$library" /usr/lib
done
"""
"""Makes the virtual environment: none of it is in a home, which services do not see."""


@contextmanager
def open_host() -> Iterator[Host]:
    """Boot a machine that has this checkout's Wheelferry in /opt, and a store."""
    binds = {
        "/opt/python": sys.base_prefix,
        "/opt/packages": sysconfig.get_path("purelib"),
        "/opt/uv": str(installed_uv().binary.parent),
        _CHECKOUT: str(Path(__file__).parents[2]),
    }
    with Host.open(binds) as host:
        users = "; ".join(f"usermod -aG {GROUP} {user}" for user in USERS)
        host.shell(f"{_VENV}groupadd -g 3000 {GROUP}; {users}")
        make_store(host, host.export.path)
        yield host


def make_store(host: Host, path: str) -> None:
    """Make a store on the server, for the users of the machine."""
    host.server.shell(f"mkdir -p {path}; rmdir {path}/lost+found 2>/dev/null || true")
    done = _on_server(host, "init", "--group", GROUP, "--store", path)
    assert done.returncode == 0, done


class Shelf:
    """A package index on the machine.

    Args:
        host: The machine.
        specs: What it has: `name:MiB` for a wheel, `name` for an sdist.
    """

    def __init__(self, host: Host, *specs: str) -> None:
        self._host = host
        self._specs = specs
        self.start()

    def start(self) -> None:
        """Start it; to be called after each boot."""
        argv = [_BASE_PYTHON, "-m", "tests.nfs.shelf", str(_PORT), *self._specs]
        path = f"{_CHECKOUT}:{_CHECKOUT}/src:/opt/packages"
        self._running = self._host.start(*argv, env={"PYTHONPATH": path})
        self._running.wait_for("ready")

    @property
    def files(self) -> list[str]:
        """What was downloaded since it was started, by path."""
        lines = self._running.stdout.splitlines()[1:]
        paths = [line.split()[1] for line in lines]
        return [p for p in paths if p.startswith("/files/") and p[-9:] != ".metadata"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """An instance of the service, and the uv cache of its user."""

    host: Host
    user: str
    cache: str
    name: str

    @property
    def unit(self) -> str:
        """What systemd calls it."""
        return f"wheelferry@{self.name}.service"

    @property
    def status(self) -> str:
        """Its last STATUS."""
        return self.host.show(self.unit, "StatusText")

    @property
    def restarts(self) -> int:
        """How often systemd has started it again."""
        return int(self.host.show(self.unit, "NRestarts"))

    @property
    def said(self) -> str:
        """What it has said since the boot."""
        return "\n".join(self.host.journal(self.unit))

    def account(self) -> Mapping[str, Any]:
        """Return what `status` knows of the daemon."""
        ran = self.wheelferry("status", "--json")
        assert ran.stdout, ran
        found: Mapping[str, Any] = json.loads(ran.stdout)["daemon"] or {}
        return found

    def is_active(self) -> bool:
        """Return whether it runs, and has said that it is ready."""
        return self.host.show(self.unit, "ActiveState") == "active"

    def start(self) -> None:
        """Start it; fails if it does not come up."""
        done = self.host.systemctl("start", self.unit)
        assert done.returncode == 0, f"{done}\n{self.said}"

    def stop(self) -> float:
        """Stop it; return how long that took.  Fails if it had to be killed."""
        started_s = time.monotonic()
        self.host.systemctl("stop", self.unit)
        took_s = time.monotonic() - started_s
        assert self.host.show(self.unit, "Result") == "success", self.said
        return took_s

    def restart(self) -> None:
        """Stop it and start it."""
        self.stop()
        self.start()

    def wheelferry(self, *args: str, timeout_s: float = 60.0) -> Ran:
        """Run a command of Wheelferry as its user."""
        return self.host.run(WHEELFERRY, *args, user=self.user, timeout_s=timeout_s)

    def uv_install(self, *names: str) -> Ran:
        """Have uv install packages into a fresh environment; its builds are in `stdout`."""
        home = f"/home/{self.user}"
        environment = {
            "UV_CACHE_DIR": self.cache,
            "UV_PYTHON_DOWNLOADS": "never",
            "VIRTUAL_ENV": f"{home}/venv",
            BUILD_LOG: f"{home}/builds.log",
        }
        script = (
            f"rm -rf venv builds.log; {_UV} -q venv --python={_BASE_PYTHON} venv;"
            f" {_UV} pip install -q --default-index={_INDEX} {' '.join(names)};"
            " cat builds.log 2>/dev/null || true"
        )
        done = self.host.run(
            *("sh", "-euc", script), user=self.user, env=environment, cwd=home
        )
        assert done.returncode == 0, done
        return done

    def has(self, *names: str) -> bool:
        """Return whether its cache has the archives of these packages."""
        archives = f"{self.cache}/archive-v0/*"
        listed = self.host.shell(f"ls -d {archives}/*.dist-info 2>/dev/null || true")
        found = {Path(line).name.split("-")[0] for line in listed.split()}
        return found.issuperset(name.replace("-", "_") for name in names)

    def wait_for(self, *names: str, timeout_s: float = 60.0) -> None:
        """Wait until its cache has the archives of these packages."""
        self.host.wait_until(
            lambda: self.has(*names), f"{names} for {self.name}", timeout_s
        )

    def wait_for_line(self, text: str, timeout_s: float = 60.0) -> None:
        """Wait until it has said this."""
        self.host.wait_until(
            lambda: text in self.said, f"{text!r} of {self.unit}", timeout_s
        )


class Services(NamedTuple):
    """A machine with an index, and two services of two users."""

    host: Host
    shelf: Shelf
    one: Service
    two: Service


@contextmanager
def open_services() -> Iterator[Services]:
    """Boot a machine, and install a service for both users."""
    with open_host() as host:
        host.write(CONFIGURATION, SETTINGS)
        shelf = Shelf(host, *PACKAGES)
        one, two = (make_service(host, user) for user in USERS)
        yield Services(host, shelf, one, two)


def configure(user: str, name: str, host: Host) -> None:
    """Give a user's Wheelferry a name of its own in the store."""
    path = f"/home/{user}/.config/wheelferry/config.toml"
    host.write(path, f'[runner]\nname = "{name}"\n')
    host.shell(f"mkdir -p /home/{user}/.cache; chown -R {user}: /home/{user}")


def install(host: Host, user: str, *args: str) -> Ran:
    """Install the service for a user, as the documentation says, and start it."""
    done = host.run(WHEELFERRY, "systemd", "install", "--user", user, "--now", *args)
    assert done.returncode == 0, done
    return done


def uninstall(host: Host, user: str, *args: str) -> None:
    """Stop the service of a user, and remove it."""
    done = host.run(WHEELFERRY, "systemd", "uninstall", "--user", user, *args)
    assert done.returncode == 0, done


def make_service(host: Host, user: str) -> Service:
    """Install the service for a user who has nothing of the kind yet."""
    configure(user, user, host)
    install(host, user)
    return Service(host=host, user=user, cache=f"/home/{user}/.cache/uv", name=user)


def stored(host: Host, path: str = "") -> set[str]:
    """Return the names of the segments in the store."""
    catalog = f"{path or host.export.path}/catalog"
    return set(host.server.shell(f"ls {catalog}").split())


def staged_bytes(host: Host) -> int:
    """Return how much of files is staged in the store."""
    sizes = "stat -c %s staging/*/* 2>/dev/null || true"
    listed = host.server.shell(f"cd {host.export.path}; {sizes}")
    return sum(map(int, listed.split()))


def damage(host: Host, path: str = "") -> Sequence[str]:
    """Return what `verify`, run on the server, finds wrong with the store."""
    at = path or host.export.path
    ran = _on_server(host, "verify", "--json", "--store", at)
    assert ran.stdout, ran
    return [
        f"{found['reference']}: {found['subject']}: {found['message']}"
        for found in json.loads(ran.stdout)["findings"]
        if found["severity"] != "info"
    ]


def _on_server(host: Host, *args: str) -> Ran:
    # It is another machine, and has none of this one's configuration.
    script = 'mkdir -p /etc/wheelferry; mount -t tmpfs none /etc/wheelferry; exec "$@"'
    argv = ["unshare", "-m", "sh", "-c", script, "sh", WHEELFERRY, *args]
    return host.server.run(*argv)


__all__ = [
    "CONFIGURATION",
    "GROUP",
    "PACKAGES",
    "PYTHON",
    "SETTINGS",
    "SHARE",
    "STOP_S",
    "USERS",
    "WHEELFERRY",
    "Host",
    "Service",
    "Services",
    "Shelf",
    "configure",
    "damage",
    "install",
    "make_service",
    "make_store",
    "open_host",
    "open_services",
    "staged_bytes",
    "stored",
    "uninstall",
]
