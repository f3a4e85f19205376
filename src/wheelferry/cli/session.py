"""What one run of one command has to work with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, NamedTuple

from wheelferry.cli.output import Form, Output, choose_style
from wheelferry.config.load import Loaded, load_config
from wheelferry.config.model import Config
from wheelferry.disk import clock
from wheelferry.errors import ConfigError

if TYPE_CHECKING:
    from wheelferry.cli.hardstop import HardStop


class Process:
    """What the program got from its caller, and what it found out on the way.

    Args:
        environ: The environment.
        system_file: The administrator's configuration file.
        stdout: Where data goes, if anywhere.
        stderr: Where talk goes, if anywhere.
        started_s: When it began, on the clock of `monotonic_s`; now, unless given.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        system_file: str,
        stdout: IO[str] | None,
        stderr: IO[str] | None,
        started_s: float | None = None,
    ) -> None:
        self.environ = environ
        self.system_file = system_file
        self.stdout = stdout
        self.stderr = stderr
        self.started_s = clock.monotonic_s() if started_s is None else started_s
        self.is_fail_open = False
        """Whether an error is to become a warning: set by a command that runs before a
        job, unless `--strict`."""
        self.output: Output | None = None
        """Set once the command is known; until then errors are plain text."""
        self.state: Path | None = None
        """Where a crash report may go, once that is known."""
        self.hard_stop: HardStop | None = None
        """What ends the process if it cannot end in time, where that is bounded."""

    def take_word(self) -> None:
        """Call before it is said how the run ended: see `HardStop`."""
        if self.hard_stop is not None:
            self.hard_stop.take_word()

    def call_off(self) -> None:
        """Call when the run is over."""
        if self.hard_stop is not None:
            self.hard_stop.call_off()

    def open_output(self, name: str, *, form: Form, verbosity: int) -> Output:
        """Make the output of the command `name`."""
        self.output = Output(
            name,
            form=form,
            verbosity=verbosity,
            style=choose_style(self.environ, self.stderr),
            stdout=self.stdout,
            stderr=self.stderr,
        )
        return self.output


class Session(NamedTuple):
    """A command's output and configuration.

    Attributes:
        output: Where to say things; `output.emit` is the sink for operations.
        loaded: The configuration and where its values came from.
        is_strict: Whether what is left undone is to be told by the exit code.
        process: The run that it belongs to.
        flags: Settings that were given as flags, by key.
        config_file: What `--config` named.
    """

    output: Output
    loaded: Loaded
    is_strict: bool
    process: Process
    flags: Mapping[str, str | Sequence[str]] = MappingProxyType({})
    config_file: str | None = None

    @property
    def config(self) -> Config:
        """The values in use."""
        return self.loaded.config

    def store_path(self) -> Path:
        """Return where the store is; raise ConfigError if nothing says so."""
        path = self.config.store.path
        if path is None:
            raise ConfigError(
                "no store is configured",
                hint=(
                    "set path under [store] in /etc/wheelferry/config.toml, or"
                    " WHEELFERRY_STORE_PATH, or use --store DIR"
                ),
            )
        return path


def open_session(
    process: Process,
    output: Output,
    flags: Mapping[str, str | Sequence[str]],
    *,
    config_file: str | None,
    is_strict: bool,
) -> Session:
    """Load the configuration, and say what is to be warned of."""
    loaded = load_config(
        process.environ,
        flags,
        config_file=config_file,
        system_file=process.system_file,
    )
    process.state = loaded.config.cache.state
    for warning in loaded.warnings:
        output.warn(warning, reference="config.warned")
    return Session(
        output=output,
        loaded=loaded,
        is_strict=is_strict,
        process=process,
        flags=flags,
        config_file=config_file,
    )
