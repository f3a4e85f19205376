"""What one run of one command has to work with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from wheelferry.cli.output import Form, Output, choose_style
from wheelferry.config.load import Loaded, load_config
from wheelferry.config.model import Config
from wheelferry.errors import ConfigError


class Process:
    """What the program got from its caller, and what it found out on the way.

    Args:
        environ: The environment.
        system_file: The administrator's configuration file.
        stdout: Where data goes, if anywhere.
        stderr: Where talk goes, if anywhere.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        system_file: str,
        stdout: IO[str] | None,
        stderr: IO[str] | None,
    ) -> None:
        self.environ = environ
        self.system_file = system_file
        self.stdout = stdout
        self.stderr = stderr
        self.is_fail_open = False
        """Whether an error is to become a warning: set by a command that runs before a
        job, unless `--strict`."""
        self.output: Output | None = None
        """Set once the command is known; until then errors are plain text."""
        self.state: Path | None = None
        """Where a crash report may go, once that is known."""

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
    """

    output: Output
    loaded: Loaded
    is_strict: bool

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
    return Session(output=output, loaded=loaded, is_strict=is_strict)
