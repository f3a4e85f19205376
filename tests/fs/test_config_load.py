"""Sources of settings, one over the other."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from wheelferry.config import environment
from wheelferry.config.load import Loaded, Setting, Source, WrongFlag, load_config
from wheelferry.config.options import OPTIONS
from wheelferry.errors import ConfigError


class Machine:
    """A machine's configuration files, and the environment of a job on it."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.system = root / "etc" / "config.toml"
        self.user = self.home / ".config" / "wheelferry" / "config.toml"
        self.environ = {"HOME": str(self.home), "PATH": "/usr/bin:bin:/bin:/usr/bin"}
        self.user.parent.mkdir(parents=True)
        self.system.parent.mkdir()

    def load(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        flags: Mapping[str, str | Sequence[str]] | None = None,
        config_file: Path | None = None,
    ) -> Loaded:
        """Load with these additional variables and flags."""
        return load_config(
            {**self.environ, **(environ or {})},
            flags or {},
            config_file=str(config_file) if config_file else None,
            system_file=str(self.system),
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without any configuration."""
    return Machine(tmp_path)


def setting(loaded: Loaded, key: str) -> Setting:
    """Return one setting."""
    return next(s for s in loaded.settings if s.option.key == key)


def test_defaults_need_no_file(machine: Machine) -> None:
    """Without any source, everything but the store has a value, as uv has it."""
    config, settings, warnings = machine.load()
    assert config.store.path is None
    assert config.cache.path == machine.home / ".cache/uv"
    assert config.cache.state == machine.home / ".cache/uv.wheelferry"
    assert config.runner.name
    assert config.uv.versions == ()
    assert config.uv.paths == (Path("/usr/bin"), Path("/bin"))
    assert config.promote.rules == config.pull.rules == ((), (), (), (), ())
    assert config.promote.rate_bytes_s is None
    assert (config.store.timeout_s, config.pull.deadline_s) == (30, 30)
    assert config.pull.max_bytes is config.pull.rate_bytes_s is None
    assert [s.option.key for s in settings] == list(OPTIONS)
    assert {s.source for s in settings} == {Source.DEFAULT}
    assert warnings == ()


@pytest.mark.parametrize(
    ("environ", "path", "origin"),
    [
        ({"UV_CACHE_DIR": "/c", "XDG_CACHE_HOME": "/x"}, "/c", "UV_CACHE_DIR"),
        ({"UV_CACHE_DIR": "", "XDG_CACHE_HOME": "/x/"}, "/x/uv", "XDG_CACHE_HOME"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/uv", ""),
    ],
)
def test_cache_defaults_to_that_of_uv(
    machine: Machine, environ: dict[str, str], path: str, origin: str
) -> None:
    """The cache is where uv would have it, and the variable that says so is named."""
    loaded = machine.load(environ)
    found = setting(loaded, "cache.path")
    assert (found.value, found.origin) == (Path(path), origin)
    assert loaded.config.cache.state == Path(f"{path}.wheelferry")


def test_stronger_source_wins(machine: Machine, tmp_path: Path) -> None:
    """System file < user file < named file < variable < flag, where nothing is final."""
    sources: list[tuple[str, Source]] = []

    def look(
        environ: Mapping[str, str] | None = None,
        flags: Mapping[str, Sequence[str]] | None = None,
        config_file: Path | None = None,
    ) -> None:
        loaded = machine.load(environ, flags=flags, config_file=config_file)
        found = setting(loaded, "uv.versions")
        (value,) = loaded.config.uv.versions
        sources.append((value, found.source))

    named = tmp_path / "named.toml"
    named.write_text('[uv]\nversions = ["0.7.3"]\n')
    machine.system.write_text('[uv]\nversions = ["0.7.1"]\n')
    look()
    machine.user.write_text('[uv]\nversions = ["0.7.2"]\n')
    look()
    look(config_file=named)
    look({"WHEELFERRY_CONFIG": str(named)})
    variable = {"WHEELFERRY_UV_VERSIONS": "0.7.4"}
    look(variable, config_file=named)
    look(variable, {"uv.versions": ("0.7.5",)}, named)

    assert sources == [
        ("0.7.1", Source.SYSTEM),
        ("0.7.2", Source.USER),
        ("0.7.3", Source.FILE),
        ("0.7.3", Source.FILE),
        ("0.7.4", Source.VARIABLE),
        ("0.7.5", Source.FLAG),
    ]


def test_origin_names_the_source(machine: Machine) -> None:
    """Each value's origin is the file, the variable or the flag that set it."""
    machine.user.write_text('[store]\npath = "/u"\n')
    variables = {"WHEELFERRY_RUNNER_NAME": "r1", "WHEELFERRY_STORE_ID": "a" * 32}
    loaded = machine.load(variables, flags={"cache.path": "/c"})
    origins = {s.option.key: s.origin for s in loaded.settings if s.origin}
    assert origins == {
        "store.path": str(machine.user),
        "store.id": "WHEELFERRY_STORE_ID",
        "cache.path": "--cache",
        "runner.name": "WHEELFERRY_RUNNER_NAME",
        "uv.paths": "PATH",
        "python.paths": "PATH",
    }


PROTECTED = [key for key, option in OPTIONS.items() if option.is_protected]


def test_what_a_job_must_not_change_is_protected() -> None:
    """A job may choose which uv and Python to serve, and what a run may cost it.

    What gc is told matters to whoever runs it, and nobody else.
    """
    costs = {"pull.deadline", "pull.max_bytes", "pull.limit_rate"}
    costs |= {"promote.deadline", "promote.limit_rate", "trim.max_size"}
    costs |= {"gc.max_size", "gc.max_age", "gc.keep_free", "gc.grace"}
    assert set(OPTIONS) - set(PROTECTED) == {"uv.versions", "python.versions"} | costs


@pytest.mark.parametrize("key", PROTECTED)
def test_system_file_is_final_for_protected(
    machine: Machine, tmp_path: Path, key: str
) -> None:
    """No other file and no variable changes it, and one warning names each try."""
    option = OPTIONS[key]
    section, _, name = key.partition(".")
    machine.system.write_text(f"[{section}]\n{name} = {option.example}\n")
    theirs = {
        "DIR": "/evil",
        "ID": "f" * 32,
        "NAME": "evil",
        "PATTERN": "evil",
        "URL": "https://evil.example.com",
        "KIND": "git",
        "TIME": "666",
        "TASK": "pull",
        "POLICY": "never",
        "PORT": "666",
        "FILE": "/evil.prom",
    }[option.kind.metavar]
    toml = f'["{theirs}"]' if option.kind.is_list else f'"{theirs}"'
    named = tmp_path / "named.toml"
    for file in (machine.user, named):
        file.write_text(f"[{section}]\n{name} = {toml}\n")

    loaded = machine.load({option.variable: theirs}, config_file=named)

    found = setting(loaded, key)
    assert (found.source, found.is_final) == (Source.SYSTEM, True)
    assert theirs not in str(found.value)
    origins = [str(machine.user), str(named), option.variable]
    assert loaded.warnings == tuple(
        f"{key} of {origin} is ignored: {machine.system} sets it for this machine"
        for origin in origins
    )


def test_flag_against_a_final_value_is_an_error(machine: Machine) -> None:
    """Who names another store by a flag is not served from a store they did not name."""
    machine.system.write_text('[store]\npath = "/admin"\n')
    with pytest.raises(ConfigError, match="--store cannot be used here"):
        machine.load(flags={"store.path": "/other"})


def test_same_value_as_a_final_one_is_fine(machine: Machine) -> None:
    """Repeating what the administrator says is neither an error nor worth a warning."""
    machine.system.write_text('[store]\npath = "/admin"\n')
    loaded = machine.load(
        {"WHEELFERRY_STORE_PATH": "/admin"}, flags={"store.path": "/admin"}
    )
    assert loaded.warnings == ()
    assert loaded.config.store.path == Path("/admin")


def test_limits_come_from_every_source(machine: Machine) -> None:
    """A limit is a number or a text in a file, and a text in a variable and a flag."""
    machine.system.write_text(
        '[store]\ntimeout = 7.5\n[pull]\ndeadline = 20\nmax_bytes = "2G"\n'
    )
    loaded = machine.load(
        {"WHEELFERRY_PULL_LIMIT_RATE": "10M", "WHEELFERRY_PULL_MAX_BYTES": "1G"},
        flags={"pull.deadline": "2m"},
    )
    assert loaded.config.store.timeout_s == 7.5
    assert loaded.config.pull[2:] == (120, 1 << 30, 10 << 20)
    assert loaded.warnings == ()


def test_limit_that_is_none_is_refused(machine: Machine) -> None:
    """A flag that cannot be a limit is wrong usage, and a file names key and form."""
    with pytest.raises(WrongFlag, match=r"--deadline is 'soon', but must be a number"):
        machine.load(flags={"pull.deadline": "soon"})
    machine.user.write_text("[pull]\nmax_bytes = 0\n")
    with pytest.raises(ConfigError, match=r"pull.max_bytes is 0, but must be a number"):
        machine.load()


def test_home_of_a_job_does_not_move_the_system_file_s_paths(
    machine: Machine,
) -> None:
    """`~/` in the system file is the account's home, whatever HOME says."""
    machine.system.write_text('[store]\npath = "~/wheels"\n')
    loaded = machine.load({"HOME": "/evil"})
    home = environment.find_account_home()
    assert loaded.config.store.path == Path(home) / "wheels"


def test_state_follows_the_cache_that_is_used(machine: Machine) -> None:
    """The state directory's default is beside the cache that the flag names."""
    loaded = machine.load(flags={"cache.path": "/c/uv"})
    assert loaded.config.cache.state == Path("/c/uv.wheelferry")


def test_state_beside_a_final_cache_is_final(machine: Machine) -> None:
    """A job cannot move this runner's files from beside the administrator's cache."""
    machine.system.write_text('[cache]\npath = "/c/uv"\n')
    machine.user.write_text('[cache]\nstate = "/evil"\n')
    loaded = machine.load({"WHEELFERRY_CACHE_STATE": "/evil"})
    found = setting(loaded, "cache.state")
    assert (found.value, found.is_final) == (Path("/c/uv.wheelferry"), True)
    assert len(loaded.warnings) == 2
    machine.system.write_text('[cache]\npath = "/c/uv"\nstate = "/c/own"\n')
    assert machine.load().config.cache.state == Path("/c/own")


@pytest.mark.parametrize("state", ["c/uv", "c/uv/own", "link/own"])
def test_state_inside_the_cache_is_refused(
    machine: Machine, tmp_path: Path, state: str
) -> None:
    """There `uv cache clean` would delete it; also if a link leads there."""
    cache = tmp_path / "c/uv"
    cache.mkdir(parents=True)
    (tmp_path / "link").symlink_to(cache)
    flags = {"cache.path": str(cache), "cache.state": str(tmp_path / state)}
    with pytest.raises(ConfigError, match="is inside the cache"):
        machine.load(flags=flags)
    machine.load(flags={**flags, "cache.state": f"{cache}2"})


@pytest.mark.parametrize(
    ("cache", "store", "message"),
    [
        ("/s/uv", "/s", "^the cache /s/uv is inside the store /s$"),
        ("/s", "/s/", "^the cache /s is inside the store /s$"),
        ("/c", "/c/s", "^the store /c/s is inside the cache /c: `uv cache"),
    ],
)
def test_cache_and_store_are_apart(
    machine: Machine, cache: str, store: str, message: str
) -> None:
    """A cache on the share fills the store with foreign files; uv would clean a store."""
    with pytest.raises(ConfigError, match=message):
        machine.load(flags={"cache.path": cache, "store.path": store})
    machine.load(flags={"cache.path": f"/2{cache}", "store.path": store})


def test_host_s_name_is_not_needed_where_a_name_is_set(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host whose name cannot be a runner's name can be given one."""
    monkeypatch.setattr(environment, "find_host_name", lambda: "...")
    machine.load({"WHEELFERRY_RUNNER_NAME": "r1"})
    with pytest.raises(ConfigError, match="cannot be made into a runner name"):
        machine.load()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("uv.versions", ("banana",)),
        ("uv.versions", ("0.4.0",)),
        ("pull.include", ("",)),
        ("runner.name", "a/b"),
        ("store.path", ""),
    ],
)
def test_flag_that_is_no_value_is_wrong_usage(
    machine: Machine, key: str, value: str | Sequence[str]
) -> None:
    """What a flag says is wrong in every run; the same in a file is not usage."""
    with pytest.raises(WrongFlag, match=OPTIONS[key].flag or "-"):
        machine.load(flags={key: value})
    with pytest.raises(ConfigError) as caught:
        machine.load({"WHEELFERRY_UV_VERSIONS": "banana"})
    assert not isinstance(caught.value, WrongFlag)


def test_relative_flag_is_from_the_working_directory(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path in a flag means what it means to a shell."""
    monkeypatch.chdir(tmp_path)
    loaded = machine.load(flags={"store.path": "wheels"})
    assert loaded.config.store.path == tmp_path / "wheels"


def test_all_mistakes_of_a_file_are_named(machine: Machine) -> None:
    """One error tells file, key, what was found, what was expected and what was meant."""
    machine.user.write_text(
        "[stroe]\npath = '/x'\n"
        "[store]\npaht = '/x'\npath = 3\n"
        "[pull]\ninclude = 'numpy'\n"
        "[wumpus]\n"
    )
    with pytest.raises(ConfigError) as caught:
        machine.load()
    assert caught.value.message == (
        f"{machine.user}: unknown section [stroe] (did you mean store?);"
        " unknown key store.paht (did you mean store.path?);"
        " store.path is 3, but must be a string: an absolute path, or one that starts"
        " with ~/;"
        " pull.include is 'numpy', but must be an array of strings, each a package"
        " name, in which `*`, `?` and `[...]` match as in a shell;"
        " unknown section [wumpus]"
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"store = '/x'\n", r"`store` must be a section: \[store\]"),
        (b"id = 'x'\n", r"`id` is in no section; it belongs below \[store\]$"),
        (
            b"deadline = 45\n",
            r"`deadline` is in no section; it belongs below \[promote\] or \[pull\]$",
        ),
        (b"wumpus = 45\n", "`wumpus` is in no section$"),
        (b"[store\n", "is not a TOML file"),
        (b"\xff\xfe", "is not a TOML file"),
    ],
)
def test_broken_file_is_an_error(machine: Machine, data: bytes, message: str) -> None:
    """A file that is not of the right form is never half used."""
    machine.user.write_bytes(data)
    with pytest.raises(ConfigError, match=message):
        machine.load()


def test_file_that_cannot_be_read_is_in_the_remedy(machine: Machine) -> None:
    """What is to be typed has the path, and says that directories count too."""
    machine.user.mkdir()  # which root cannot read as a file either
    with pytest.raises(ConfigError) as caught:
        machine.load()
    assert caught.value.hint is not None
    assert f"`chmod a+r {machine.user}`" in caught.value.hint
    assert "directories above" in caught.value.hint


def test_named_file_must_exist(machine: Machine, tmp_path: Path) -> None:
    """A file that was asked for by name and is absent is an error; others may be."""
    with pytest.raises(ConfigError, match="no configuration file"):
        machine.load(config_file=tmp_path / "absent.toml")


def test_file_of_another_user_is_no_file(machine: Machine) -> None:
    """A job with the HOME of root, under another number, has no file of its own."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to be another user")
    machine.user.write_text('[store]\npath = "/u"\n')
    machine.user.chmod(0o600)
    machine.system = Path("/nonexistent")
    os.seteuid(65534)
    try:
        assert machine.load().config.store.path is None
        with pytest.raises(ConfigError, match="cannot read"):
            machine.load(config_file=machine.user)
    finally:
        os.seteuid(0)


def test_unreadable_file_is_an_error(machine: Machine) -> None:
    """A file that is there and cannot be read is not taken for an absent one."""
    machine.system.mkdir()
    with pytest.raises(ConfigError, match="cannot read") as caught:
        machine.load()
    assert isinstance(caught.value.__cause__, IsADirectoryError)


def test_unknown_variable_is_a_warning(machine: Machine) -> None:
    """A job's environment may hold anything: it is told, and goes on."""
    loaded = machine.load({"WHEELFERRY_STROE_PATH": "/x", "WHEELFERRY_DISABLE": "0"})
    (warning,) = loaded.warnings
    assert warning == (
        "WHEELFERRY_STROE_PATH is not a variable that wheelferry knows"
        " (did you mean WHEELFERRY_STORE_PATH?)"
    )


def test_wrong_variable_is_an_error_that_names_it(machine: Machine) -> None:
    """A variable that holds no value for its setting is named."""
    with pytest.raises(ConfigError, match=r"WHEELFERRY_UV_VERSIONS is '0\.9'"):
        machine.load({"WHEELFERRY_UV_VERSIONS": "0.9"})


def test_empty_variable_sets_nothing(machine: Machine) -> None:
    """An empty variable is an unset one, as it is for uv."""
    assert machine.load({"WHEELFERRY_STORE_PATH": " "}).config.store.path is None


@pytest.mark.parametrize("value", ["1", "true", "YES", "ture"])
def test_disable_switches_off(value: str) -> None:
    """Any value that does not say no switches everything off."""
    assert environment.is_disabled({"WHEELFERRY_DISABLE": value})


@pytest.mark.parametrize("value", ["", "0", "false", "No", " off "])
def test_disable_can_say_no(value: str) -> None:
    """A value that says no leaves everything on."""
    assert not environment.is_disabled({"WHEELFERRY_DISABLE": value})
    assert not environment.is_disabled({})
