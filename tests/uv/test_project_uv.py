"""What a project-aware pull brings is what `uv sync` then uses, and nothing else."""

import shutil
from pathlib import Path

import pytest

from tests.support import uvs, wide
from tests.support.fleet import Fleet, Ran, make_fleet
from tests.support.project import Project
from tests.support.runner import Runner
from wheelferry.sample import POLICIES, PYPI, make_sdist, make_wheel

pytestmark = pytest.mark.uv

ALL = ("--all-extras", "--all-groups")


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """A store of our own."""
    return make_fleet(tmp_path / "store")


def pull(fleet: Fleet, runner: Runner, *args: str) -> Ran:
    """Pull before a job of this runner, in its checkout."""
    release = ".".join(map(str, runner.python.release))
    done = fleet.command(runner, "pull", "--strict", f"--python={release}", *args)
    assert done.returncode == 0, (done.stderr, done.lines)
    return done


def states(plan: Ran) -> dict[str, str]:
    """Return what a plan does about each package."""
    return {package["name"]: package["state"] for package in plan.summary["packages"]}


def assert_exact(runner: Runner, project: Project, *args: str) -> set[str]:
    """Check that a job finds all it needs in the cache, and needs all that is there."""
    result = runner.sync(project, "--offline", *args)
    assert (result.requests, result.builds) == ((), ()), result
    assert runner.copied_files() == []
    every, used = wide.used_archives(runner)
    assert every == used
    return wide.installed(runner)


@pytest.mark.parametrize("version", ["0.5.14", "newest"])
def test_pull_brings_what_sync_uses_and_nothing_else(site, new_runner, fleet, version):
    """Of 60 packages in three versions: the right ones, for all and for some extras."""
    uv = uvs.load_uv_or_skip(version)
    site.index.add(*wide.make_dists())
    a = new_runner("a", uv)
    project = wide.make_project(site, a, "1.1")
    a.sync(project, *ALL)
    for number in set(wide.VERSIONS) - {"1.1"}:
        wide.cache_version(site, a, number)
    fleet.promote(a)
    assert len({(r.name, r.version) for r in fleet.records()}) == 3 * 57 + 3 + 2 * 2

    b = new_runner("b", uv)
    b.check_out(project)
    before = states(pull(fleet, b, f"--project={b.work}", "--dry-run"))
    done = pull(fleet, b, f"--project={b.work}")
    after = states(pull(fleet, b, f"--project={b.work}", "--dry-run"))

    found = assert_exact(b, project, *ALL)
    assert len(found) == done.summary["restored"] == 60
    assert {name.split()[1] for name in found if name[:3] not in ("git", "url")} == {
        "1.1"
    }
    names = {name.split()[0] for name in found}
    assert {name for name, state in before.items() if state == "fetch"} == names
    assert {name for name, state in after.items() if state == "present"} == names
    assert {name for name, state in before.items() if name not in names} == set(
        wide.ELSEWHERE
    )
    assert {before[name] for name in wide.ELSEWHERE} == {"not-for-this-machine"}

    # As `uv sync` without flags: no extras, and of the groups `dev`.
    c = new_runner("c", uv)
    c.check_out(project)
    pull(fleet, c, f"--project={c.work}", "--no-extras", "--group=dev")
    assert len(assert_exact(c, project)) == 60 - 8 - 3


def test_what_a_project_has_built_comes_built(site, new_runner, each_uv, fleet):
    """`no-binary-package`: uv leaves the wheel alone, and so does a pull."""
    site.index.add(make_wheel("both"), make_sdist("both"))
    with_wheel = site.project(["both==1.0"])
    built = site.project(["both==1.0"], settings="no-binary-package = ['both']")
    a = new_runner("a", each_uv)
    a.sync(with_wheel)
    assert len(a.sync(built).builds) == 1
    fleet.promote(a)
    assert len(fleet.records()) == 2

    for name, project in (("b", built), ("c", with_wheel)):
        runner = new_runner(name, each_uv)
        runner.check_out(project)
        pull(fleet, runner, f"--project={runner.work}")
        assert_exact(runner, project)


def test_only_wheels_for_the_pythons_here_come(site, new_runner, uv, fleet):
    """Of a store with wheels for several machines: the one that uv would choose."""
    site.index.add(*(make_wheel("tagged", tag=tag) for tag in wide.TAGS))
    project = site.project(["tagged==1.0", "pure-wheel==1.0"])
    a = new_runner("a", uv)
    a.sync(project)
    linux, mine = "x86_64-unknown-linux-gnu", ".".join(map(str, a.python.release))
    for python, platform in (
        ("3.10", linux),
        ("3.12", linux),
        ("3.8", linux),
        (mine, "x86_64-unknown-linux-musl"),
        (mine, "x86_64-pc-windows-msvc"),
    ):
        (a.work / "requirements.txt").write_text(wide.pin(site, "tagged", "1.0"))
        a.run(
            *("pip", "install", "-r", "requirements.txt", "--no-deps"),
            *(f"--target={python}-{platform}", f"--python-version={python}"),
            *(f"--python-platform={platform}", "--require-hashes"),
            f"--default-index={site.index.simple_url}",
        )
    fleet.promote(a)
    tags = {record.tags for record in fleet.records() if record.name == "tagged"}
    assert tags == set(wide.TAGS)

    for python, tag in (
        (mine, wide.TAGS[0]),
        ("3.10", "cp310-cp310-manylinux_2_17_x86_64"),
        ("3.12", "cp39-abi3-manylinux_2_17_x86_64"),
        ("pypy3.9", "py3-none-any"),
    ):
        b = new_runner(f"b-{python}", uv)
        b.check_out(project)
        args = ("pull", "--strict", "--dry-run", f"--python={python}")
        plan = fleet.command(b, *args, f"--project={b.work}").summary
        wanted = {item["name"]: item["tags"] for item in plan["wanted"]}
        assert wanted.get("tagged") == tag, plan
    # Without a project too, and then all that fits.
    b = new_runner("b", uv)
    every = fleet.command(
        b, "pull", "--strict", "--dry-run", f"--python={mine}"
    ).summary
    fitting = {item["tags"] for item in every["wanted"] if item["name"] == "tagged"}
    assert fitting == {wide.TAGS[0], "cp39-abi3-manylinux_2_17_x86_64", "py3-none-any"}


def test_hashless_entries_serve_no_lock(site, new_runner, fleet):
    """What was cached without hashes is neither restored nor present for a locked job."""
    project = site.project(["pure-wheel==1.0"])
    site.index.policy = POLICIES["no-hashes"]
    # Later ones compute a hash where the index gives none.
    a, b, c = (new_runner(name, uvs.load_uv_or_skip("0.5.14")) for name in "abc")
    for runner in (a, b):
        runner.work.mkdir(parents=True)
        runner.pip("install", "pure-wheel==1.0")
    fleet.promote(a)
    for runner in (b, c):
        runner.check_out(project)

        plan = pull(fleet, runner, f"--project={runner.work}", "--dry-run").summary

        (package,) = plan["packages"]
        assert (package["state"], plan["present"]) == ("not-in-store", 0)
        assert "without a hash" in package["reason"]
    # Without a lock, the job of `a` is served by it.
    (c.work / "requirements.txt").write_text("pure-wheel==1.0\n")
    done = pull(fleet, c, "-r", str(c.work / "requirements.txt"))
    assert done.summary["restored"] == 1
    result = c.pip("install", "pure-wheel==1.0")
    assert not any(request.body_bytes for request in result.downloads)

    # Nor is what a cache has without hashes present, where the store has it with some.
    site.index.policy = PYPI
    d = new_runner("d", b.uv)
    d.sync(project)
    fleet.promote(d)
    b.check_out(project)
    plan = pull(fleet, b, f"--project={b.work}", "--dry-run").summary
    (package,) = plan["packages"]
    assert (package["state"], plan["present"]) == ("left", 0)
    assert "without digests" in package["reason"]


def test_other_locks_bring_what_their_jobs_use(site, new_runner, uv, fleet):
    """Scripts, pylock.toml, requirements and members of workspaces, all offline."""
    project = site.project()
    a = new_runner("a", uv)
    a.sync(project)
    exported = ("export", "--frozen", "--no-emit-project", "--format")
    pylock = a.run(*exported, "pylock.toml").stdout
    requirements = a.run(*exported, "requirements.txt").stdout
    fleet.promote(a)
    found = wide.installed(a)
    assert len(found) == 7

    b = new_runner("b", uv)
    b.check_out(project)
    (b.work / "uv.lock").unlink()
    (b.work / "pylock.toml").write_text(pylock)
    assert pull(fleet, b, f"--project={b.work}").summary["restored"] == 7
    b.run("venv", f"--python={b.python.executable}", ".venv")
    synced = b.run("pip", "sync", "--offline", "--preview", "pylock.toml")
    assert (synced.requests, synced.builds, wide.installed(b)) == ((), (), found)

    c = new_runner("c", uv)
    c.work.mkdir(parents=True)
    (c.work / "requirements.txt").write_text("-r nested/more.txt\nunpinned>=1\n")
    (c.work / "nested").mkdir()
    (c.work / "nested/more.txt").write_text(requirements)
    done = pull(fleet, c, "-r", str(c.work / "requirements.txt"))
    plan = pull(fleet, c, "-r", str(c.work / "requirements.txt"), "--dry-run")
    assert done.summary["restored"] == 7
    (loose,) = (p for p in plan.summary["packages"] if p["name"] == "unpinned")
    assert "pins no version" in loose["reason"]
    result = c.pip("install", "--no-deps", "-r", "nested/more.txt")
    # The metadata of a URL wheel, which no job has had, is a part of its file.
    whole = [r for r in result.downloads if r.status == 200 and r.body_bytes]
    assert (whole, result.builds, wide.installed(c)) == ([], (), found)

    d = new_runner("d", uv)
    d.work.mkdir(parents=True)
    (d.work / "script.py").write_text(
        "# /// script\n# dependencies = ['pure-wheel==1.0']\n"
        f"# [[tool.uv.index]]\n# url = '{site.index.simple_url}'\n# default = true\n"
        "# ///\nimport pure_wheel; print(pure_wheel.__version__)\n"
    )
    python = f"--python={d.python.executable}"
    d.run("lock", python, "--script", "script.py")
    site.index.forget_requests()
    assert pull(fleet, d, f"--project={d.work}").summary["restored"] == 1
    ran = d.run("run", python, "--frozen", "--offline", "--script", "script.py")
    assert (ran.stdout, ran.requests) == ("1.0\n", ())


def test_workspace_is_found_from_a_member(site, new_runner, uv, fleet):
    """The lock is at the root; `--package` leaves out what only others need."""
    a = new_runner("a", uv)
    root = site.pyproject(["pure-wheel==1.0"], settings="package = false")
    root = root.replace("package = false\npackage = false", "package = false")
    member = '[project]\nname = "{}"\nversion = "0"\nrequires-python = ">=3.8"\n'
    member += 'dependencies = ["{}"]\n[tool.uv]\npackage = false\n'
    files = {
        "pyproject.toml": f'{root}\n[tool.uv.workspace]\nmembers = ["parts/*"]\n',
        "parts/one/pyproject.toml": member.format("one", "pure-sdist==1.0"),
        "parts/two/pyproject.toml": member.format("two", "cext-sdist"),
    }
    python = f"--python={a.python.executable}"
    for path, text in files.items():
        (a.work / path).parent.mkdir(parents=True, exist_ok=True)
        (a.work / path).write_text(text)
    a.run("lock", python)
    a.run("sync", python, "--frozen", "--all-packages")
    fleet.promote(a)
    site.index.forget_requests()
    b = new_runner("b", uv)
    shutil.copytree(a.work, b.work, ignore=shutil.ignore_patterns(".venv"))
    part = f"--project={b.work / 'parts/one'}"

    plan = pull(fleet, b, part, "--dry-run")
    assert set(states(plan)) == {"pure-wheel", "pure-sdist", "cext-sdist"}
    assert pull(fleet, b, part, "--package=one").summary["restored"] == 1
    result = b.run("sync", python, "--frozen", "--offline", "--package=one")
    assert (result.requests, result.builds) == ((), ())
    assert wide.installed(b) == {"pure-sdist 1.0"}
