"""The default of `cache.path` is what `uv cache dir` says."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.uvs import Uv
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
