"""What a fleet's ways do around a job, without uv."""

import os
import subprocess
from pathlib import Path

import pytest

from benchmarks.fleet.index import SIMPLE_URL, URL
from benchmarks.fleet.ways import BY_ID, WAYS, Way


def _run(script: str, root: Path, runner: str = "a") -> None:
    local = root / runner
    for folder in (root / "share", local / "cache", local / "work"):
        folder.mkdir(parents=True, exist_ok=True)
    environment = {
        "PATH": os.environ["PATH"],
        "SHARE": str(root / "share"),
        "LOCAL": str(local),
        "CACHE": str(local / "cache"),
        "WORK": str(local / "work"),
        "RUNNER": runner,
        "PROXY_URL": "http://127.0.0.1:1/index",
    }
    subprocess.run(["sh", "-euc", script], env=environment, check=True)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.id)
def test_scripts_are_clean(way: Way) -> None:
    """ShellCheck finds nothing in them."""
    scripts = ("begin", "prepare", "check_out", "settle", "before", "after", "end")
    for text in filter(None, (getattr(way, name) for name in scripts)):
        done = subprocess.run(
            ["shellcheck", "--shell=sh", "-"],
            input=text,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_proxy_way_locks_by_way_of_the_proxy(tmp_path: Path) -> None:
    """Registry and files have the proxy's URLs, with normalised names."""
    work = tmp_path / "a/work"
    work.mkdir(parents=True)
    (work / "pyproject.toml").write_text(f'url = "{SIMPLE_URL}"\n')
    (work / "uv.lock").write_text(
        f'source = {{ registry = "{SIMPLE_URL}" }}\n'
        f'sdist = {{ url = "{URL}/files/pymongo-4.7.3.tar.gz", size = 1 }}\n'
        f'    {{ url = "{URL}/files/a_b_c-1.0_2-cp311-linux_x86_64.whl", size = 1 }},\n'
    )

    _run(BY_ID["proxy"].check_out, tmp_path)

    assert (work / "pyproject.toml").read_text() == 'url = "http://127.0.0.1:1/index"\n'
    assert (work / "uv.lock").read_text() == (
        'source = { registry = "http://127.0.0.1:1/index" }\n'
        'sdist = { url = "http://127.0.0.1:1/index/pymongo/pymongo-4.7.3.tar.gz", size = 1 }\n'
        '    { url = "http://127.0.0.1:1/index/a-b-c/a_b_c-1.0_2-cp311-linux_x86_64.whl",'
        " size = 1 },\n"
    )


def test_tar_way_uploads_only_what_has_changed(tmp_path: Path) -> None:
    """A job that adds a file uploads all; the next ones, there and elsewhere, nothing."""
    tar, archive = BY_ID["tar"], tmp_path / "share/cache.tar.zst"
    _run(tar.before, tmp_path)
    (tmp_path / "a/cache/new").write_text("new")
    _run(tar.after, tmp_path)
    first = archive.stat().st_ino, archive.stat().st_mtime_ns

    for runner in ("a", "b", "b"):
        _run(f"{tar.before}\n{tar.after}", tmp_path, runner)

    assert (archive.stat().st_ino, archive.stat().st_mtime_ns) == first
    assert (tmp_path / "b/cache/new").read_text() == "new"


@pytest.mark.parametrize("name", ["rsync", "cp"])
def test_copying_ways_share_files_and_links(name: str, tmp_path: Path) -> None:
    """What one runner has, links included, the next one gets."""
    cache = tmp_path / "a/cache"
    (cache / "deep").mkdir(parents=True)
    (cache / "deep/file").write_text("text")
    (cache / "link").symlink_to("deep")

    for runner in ("a", "b", "b"):
        _run(f"{BY_ID[name].before}\n{BY_ID[name].after}", tmp_path, runner)

    assert (tmp_path / "b/cache/deep/file").read_text() == "text"
    assert (tmp_path / "b/cache/link").readlink() == Path("deep")
