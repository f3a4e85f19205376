"""The default of `cache.path` is what `uv cache dir` says."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.uvs import BETWEEN_VERSIONS, OLD_VERSIONS, Uv, load_uv_or_skip
from wheelferry.config.uvsettings import find_uv_cache

pytestmark = pytest.mark.uv

USER, FIRST, SECOND, NAMED = "config/uv", "etc1/uv", "etc2/uv", "named"


@pytest.mark.parametrize(
    ("files", "environ", "origin"),
    [
        ({}, {}, ""),
        ({}, {"XDG_CACHE_HOME": "{root}/xdg"}, "XDG_CACHE_HOME"),
        ({USER: "{root}/u"}, {"XDG_CACHE_HOME": "{root}/xdg"}, USER),
        ({USER: "{root}/u"}, {"UV_CACHE_DIR": "{root}/v"}, "UV_CACHE_DIR"),
        ({USER: "{root}/u", SECOND: "{root}/s"}, {}, USER),
        ({USER: None, SECOND: "{root}/s"}, {}, SECOND),
        ({FIRST: "{root}/f", SECOND: "{root}/s"}, {}, FIRST),
        ({FIRST: None, SECOND: "{root}/s"}, {}, ""),
        ({USER: "{root}/u", FIRST: "{root}/f"}, {"UV_NO_CONFIG": "1"}, ""),
        ({NAMED: "{root}/n", USER: "{root}/u"}, {"UV_CONFIG_FILE": "{named}"}, NAMED),
        (
            {NAMED: "{root}/n"},
            {"UV_CONFIG_FILE": "{named}", "UV_NO_CONFIG": "1"},
            NAMED,
        ),
        ({NAMED: None, USER: "{root}/u"}, {"UV_CONFIG_FILE": "{named}"}, ""),
        ({USER: "~/u"}, {}, USER),
        ({USER: "relative/u"}, {}, USER),
        ({}, {"UV_CACHE_DIR": "relative/v"}, "UV_CACHE_DIR"),
        ({}, {"UV_CACHE_DIR": "~/v"}, "UV_CACHE_DIR"),
        ({}, {"XDG_CACHE_HOME": "relative"}, ""),
        ({FIRST: "{root}/f"}, {"UV_NO_CONFIG": "false"}, FIRST),
    ],
)
def test_cache_is_where_uv_has_it(
    *,
    tmp_path: Path,
    each_uv: Uv,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str | None],
    environ: dict[str, str],
    origin: str,
) -> None:
    """The same directory, by variables, by uv's own files, and by default."""
    for folder, cache in files.items():
        path = tmp_path / folder / "uv.toml"
        path.parent.mkdir(parents=True)
        line = f'cache-dir = "{cache.format(root=tmp_path)}"' if cache else ""
        path.write_text(f"offline = true\n{line}\n")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    named = tmp_path / NAMED / "uv.toml"
    full = {
        "HOME": str(tmp_path / "home"),
        "PATH": os.defpath,
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_CONFIG_DIRS": f"{tmp_path}/etc1:{tmp_path}/etc2",
        **{k: v.format(root=tmp_path, named=named) for k, v in environ.items()},
    }
    says = subprocess.run(
        [each_uv.binary, "cache", "dir"],
        env=full,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.strip()

    found, source = find_uv_cache(full)

    assert found == str(Path(says).absolute())
    assert source == (
        str(tmp_path / origin / "uv.toml")
        if "/" in origin or origin == NAMED
        else origin
    )


@pytest.mark.parametrize("version", [*OLD_VERSIONS, *BETWEEN_VERSIONS, "newest"])
@pytest.mark.parametrize("name", ["uv.toml", "pyproject.toml"])
def test_file_of_a_project_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, name: str
) -> None:
    """uv uses its `cache-dir` in that project; the default of `cache.path` stays."""
    uv = load_uv_or_skip(version)
    line = f'cache-dir = "{tmp_path}/project-cache"\n'
    (tmp_path / name).write_text(line if name == "uv.toml" else f"[tool.uv]\n{line}")
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": str(tmp_path / "home"), "PATH": os.defpath}
    here, elsewhere = (
        subprocess.run(
            [uv.binary, "cache", "dir"],
            env=environ,
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout.strip()
        for directory in (tmp_path, "/")
    )

    assert here == f"{tmp_path}/project-cache"
    assert find_uv_cache(environ) == (elsewhere, "")


def test_no_system_config_is_followed_as_newer_uvs_do(
    tmp_path: Path, each_uv: Uv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.10.12 was seen to ignore it, 0.12.0 not to; we are with the newer ones."""
    file = tmp_path / "etc" / "uv" / "uv.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f'cache-dir = "{tmp_path}/f"\n')
    monkeypatch.chdir(tmp_path)
    environ = {
        "HOME": str(tmp_path / "home"),
        "PATH": os.defpath,
        "XDG_CONFIG_DIRS": str(tmp_path / "etc"),
        "UV_NO_SYSTEM_CONFIG": "1",
    }
    says = subprocess.run(
        [each_uv.binary, "cache", "dir"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.strip()

    assert (says == find_uv_cache(environ)[0]) == (each_uv.release >= (0, 12, 0))
