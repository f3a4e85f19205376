"""What uv is told, apart from where its cache is."""

from pathlib import Path

import pytest

from wheelferry.config.uvchoices import Choice, UvIndex, find_uv_choices

NONE = Choice("", "")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment whose files are our own; the user's one is `user.toml`."""
    (tmp_path / "uv").mkdir()
    (tmp_path / "etc" / "uv").mkdir(parents=True)
    return {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "XDG_CONFIG_DIRS": str(tmp_path / "etc"),
    }


def test_nothing_is_said_by_default(environ: dict[str, str]) -> None:
    """No mode, no ban, and no index that would have to be asked."""
    assert find_uv_choices(environ) == (NONE, NONE, ())


def test_variable_prevails_over_files(environ: dict[str, str], tmp_path: Path) -> None:
    """And the user's file over the system's; each names where it is from."""
    user, system = tmp_path / "uv" / "uv.toml", tmp_path / "etc" / "uv" / "uv.toml"
    system.write_text('link-mode = "copy"\nno-cache = true\n')
    found = find_uv_choices(environ)
    assert found.link_mode == ("copy", str(system))
    assert found.no_cache == ("true", str(system))

    user.write_text('link-mode = "symlink"\nno-cache = false\n')
    found = find_uv_choices(environ)
    assert (found.link_mode, found.no_cache) == (("symlink", str(user)), NONE)

    found = find_uv_choices({**environ, "UV_LINK_MODE": "hardlink", "UV_NO_CACHE": "1"})
    assert found.link_mode == ("hardlink", "UV_LINK_MODE")
    assert found.no_cache == ("true", "UV_NO_CACHE")


def test_each_index_is_found_once(environ: dict[str, str], tmp_path: Path) -> None:
    """Variables first; names are left out, and what is no URL, such as a folder."""
    user = tmp_path / "uv" / "uv.toml"
    user.write_text(
        'index-url = "https://d.example/"\nextra-index-url = ["/srv/wheels"]\n'
        '[[index]]\nname = "c"\nurl = "https://c.example/?a=b"\n'
        'cache-control = { files = "max-age=9" }\n'
        '[[index]]\nurl = "https://a.example"\n'
    )
    variables = {
        "UV_DEFAULT_INDEX": "https://a.example/",
        "UV_INDEX": "b=https://u:p=w@b.example https://e.example/?x=y",
    }

    assert find_uv_choices({**environ, **variables}).indexes == (
        UvIndex("https://a.example/", "UV_DEFAULT_INDEX"),
        UvIndex("https://u:p=w@b.example", "UV_INDEX"),
        UvIndex("https://e.example/?x=y", "UV_INDEX"),
        UvIndex("https://c.example/?a=b", str(user), "max-age=9"),
        UvIndex("https://d.example/", str(user)),
    )


@pytest.mark.parametrize(
    "text", ["index = 3", "[index]\nurl = 1", "[[index]]\nurl = 2", "no toml"]
)
def test_file_that_uv_cannot_use_is_no_trouble(
    environ: dict[str, str], tmp_path: Path, text: str
) -> None:
    """uv will say what is wrong with it."""
    (tmp_path / "uv" / "uv.toml").write_text(text)

    assert find_uv_choices(environ) == (NONE, NONE, ())
