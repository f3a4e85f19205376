"""The test support itself: does it count what real uv does?"""

import pytest

from tests.support.runner import make_runner
from tests.support.site import STANDARD_BUILDS
from wheelferry.sample import (
    POLICIES,
    Index,
    RequestKind,
    can_compile,
    make_fallback,
    make_wheel,
    render_pyproject,
)

pytestmark = pytest.mark.uv


def test_cold_sync_is_counted(site, new_runner, each_uv):
    """A cold sync asks for 6 files and builds 4 wheels, with each uv version."""
    runner = new_runner("a", each_uv)
    project = site.project()
    assert site.index.requests == ()

    cold = runner.sync(project)

    assert len(cold.downloads) == 6
    assert sorted(line.split()[0] for line in cold.builds) == list(STANDARD_BUILDS)
    assert any(r.kind is RequestKind.MOUNT for r in cold.requests), "git was not asked"
    assert cold.body_bytes > sum(len(d.data) for d in site.packages.direct)
    answers = "cext_sdist._native as c, native_wheel._native as n, git_dep, url_sdist"
    code = f"import {answers}; print(c.answer(), n.answer())"
    assert runner.python_says(code) == "42 42"


def test_warm_sync_is_counted_as_nothing(site, new_runner, each_uv):
    """A second job on the same cache asks nothing, builds nothing and hardlinks."""
    runner = new_runner("a", each_uv)
    project = site.project()
    runner.sync(project)

    warm = runner.sync(project)

    assert (warm.requests, warm.builds) == ((), ())
    assert not warm.fell_back_to_copies
    assert runner.copied_files() == []


def test_copies_are_noticed(site, new_runner, uv):
    """Files that are no hardlinks are listed, without those that uv always writes."""
    runner = new_runner("a", uv)
    runner.sync(site.project(["pure-wheel==1.0"]), env={"UV_LINK_MODE": "copy"})
    copied = runner.copied_files()
    assert "pure_wheel/data.bin" in copied
    assert "pure_wheel-1.0.dist-info/METADATA" in copied
    assert "pure_wheel-1.0.dist-info/RECORD" not in copied


def test_settings_reach_the_backend(site, new_runner, each_uv):
    """Config settings of a project are in the wheel that uv builds for it."""
    runner = new_runner("a", each_uv)
    settings = 'config-settings = { taste = "mint" }'
    runner.sync(site.project(["pure-sdist==1.0"], settings=settings))
    installed = runner.site_packages / "pure_sdist/settings.json"
    assert installed.read_text() == '{"taste": "mint"}'


def test_other_python_builds_the_extension(site, new_runner, each_uv, other_python):
    """Another interpreter of this machine can build and use the C extension."""
    runner = new_runner("a", each_uv, python=other_python)
    result = runner.sync(site.project(["cext-sdist"]))
    (build,) = result.builds
    assert runner.python_says("import cext_sdist._native as n; print(n.answer())") == (
        "42"
    )
    digits = "".join(map(str, other_python.release))
    assert build.split()[2].startswith(("cp" + digits, "pp" + digits))


@pytest.mark.parametrize("name", POLICIES)
def test_each_index_policy_serves_uv(site, new_runner, uv, name):
    """uv resolves and installs from every kind of index."""
    site.index.policy = POLICIES[name]
    runner = new_runner("a", uv)
    runner.sync(site.project(["pure-wheel", "pure-sdist"]))
    assert runner.python_says("import pure_wheel; print(pure_wheel.__version__)") == (
        "1.1"
    )


def test_pip_uses_the_same_index(new_runner, uv):
    """`uv pip install` asks the index for pages and files."""
    runner = new_runner("a", uv)
    runner.work.mkdir(parents=True)
    result = runner.pip("install", "pure-wheel==1.0")
    kinds = {request.kind for request in result.requests}
    assert kinds >= {RequestKind.PAGE, RequestKind.FILE}


def test_lock_follows_the_index(site, new_runner, uv):
    """A file that is replaced on the index gives another lock, not a remembered one."""
    before = site.project(["pure-wheel==1.0"])
    assert site.project(["pure-wheel==1.0"]) == before
    other = make_wheel("pure-wheel", files={"pure_wheel/__init__.py": b"other = 1"})
    site.index.add(other)
    after = site.project(["pure-wheel==1.0"])
    assert after.pyproject == before.pyproject
    assert other.sha256 in after.lock
    assert other.sha256 not in before.lock
    failed = new_runner("a", uv).sync(before, ok=False)
    assert failed.returncode != 0
    assert "Hash mismatch" in failed.stderr


def test_source_can_be_given(site, new_runner, uv):
    """A project may name its own source, such as a URL with a secret in it."""
    filename = site.packages.find("url-wheel").filename
    url = f"{site.index.direct_url(filename)}?token=secret"
    project = site.project(["url-wheel"], sources={"url-wheel": f'url = "{url}"'})
    result = new_runner("a", uv).sync(project)
    assert [r.path for r in result.downloads] == [f"/direct/{filename}?token=secret"]


@pytest.mark.parametrize("native", [False, True])
def test_fallback_of_the_demo_installs(tmp_path, uv, native):
    """The packages that the demo makes itself can be locked and installed."""
    if native and not can_compile():
        pytest.skip("no gcc or no Python.h; apt-get install -y gcc python3-dev")
    dists = make_fallback(native=native)
    names = sorted(dist.name for dist in dists)
    with Index(dists) as index:
        runner = make_runner(tmp_path / "a", uv, index)
        runner.work.mkdir()
        text = render_pyproject(requirements=names, index_url=index.simple_url)
        (runner.work / "pyproject.toml").write_text(text)
        result = runner.run("sync", f"--python={runner.python.executable}")
        assert len(result.downloads) == len(dists)
        assert len(result.builds) == (2 if native else 1)
