"""What doctor says of uv, against what uv does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.uvs import (
    BETWEEN_VERSIONS,
    OLD_VERSIONS,
    Uv,
    installed_uv,
    load_uv_or_skip,
)
from wheelferry.config.uvchoices import find_uv_choices
from wheelferry.doctor.checks.index import OVERRIDE_FROM, judge_indexes
from wheelferry.doctor.checks.uv import judge_uv
from wheelferry.doctor.look.index import look_at_indexes
from wheelferry.doctor.look.uv import look_at_uv
from wheelferry.doctor.setup import IndexSetup, Setup
from wheelferry.ops.finding import Severity
from wheelferry.sample import POLICIES, PYPI, Index, Policy, make_wheel

pytestmark = pytest.mark.uv

NO_STORE = Policy(
    page_cache=PYPI.page_cache, file_cache=POLICIES["no-store"].file_cache
)
"""Of files alone: that is what counts, and what is asked for."""


@pytest.fixture(params=[*OLD_VERSIONS, *BETWEEN_VERSIONS, "newest"])
def any_uv(request: pytest.FixtureRequest) -> Uv:
    """Each uv of the tests."""
    return load_uv_or_skip(request.param)


def make_setup(root: Path, uv: Uv, environ: dict[str, str]) -> Setup:
    """Return what doctor examines on a runner that has only this uv."""
    choices = find_uv_choices(environ)
    return Setup(
        cache=root / "cache",
        cache_origin="",
        state=root / "cache.wheelferry",
        store=None,
        store_id=None,
        runner="r1",
        timeout_s=5.0,
        promotes=True,
        uv_paths=(uv.binary.parent,),
        uv_versions=(),
        workspace=root / "work",
        environ=environ,
        link_mode=choices.link_mode,
        no_cache=choices.no_cache,
        indexes=tuple(IndexSetup(*index) for index in choices.indexes),
    )


@pytest.mark.parametrize("is_told_otherwise", [False, True])
def test_index_is_judged_as_uv_takes_it(
    tmp_path: Path, any_uv: Uv, *, is_told_otherwise: bool
) -> None:
    """uv keeps no pointer of a no-store file, unless `cache-control` prevails."""
    if is_told_otherwise and any_uv.release < OVERRIDE_FROM:
        return
    (tmp_path / "work").mkdir()
    file = tmp_path / "uv.toml"
    with Index([make_wheel("pure", "1.0")], policy=NO_STORE) as index:
        text = f'[[index]]\nname = "x"\nurl = "{index.simple_url}"\ndefault = true\n'
        if is_told_otherwise:
            text += 'cache-control = { files = "max-age=365000000, immutable" }\n'
        file.write_text(text)
        environ = {
            "HOME": str(tmp_path),
            "PATH": os.defpath,
            "UV_CACHE_DIR": str(tmp_path / "cache"),
            "UV_CONFIG_FILE": str(file),
            "UV_PYTHON_DOWNLOADS": "never",
        }
        where = ["--python", sys.executable, "--target", str(tmp_path / "target")]
        subprocess.run(
            [any_uv.binary, "pip", "install", *where, "pure"],
            env=environ,
            cwd=tmp_path / "work",
            capture_output=True,
            timeout=60,
            check=True,
        )
        setup = make_setup(tmp_path, any_uv, environ)
        page = setup.indexes[0]._replace(url=f"{index.simple_url}/pure")
        (finding,) = judge_indexes(look_at_indexes(setup._replace(indexes=(page,))))
    pointers = list((tmp_path / "cache").glob("wheels-*/index/*/pure/*.http"))

    assert bool(pointers) == is_told_otherwise
    assert (finding.severity is Severity.OK) == bool(pointers)


def test_cache_dir_of_a_project_is_told(tmp_path: Path, any_uv: Uv) -> None:
    """uv follows a project's own file, wheelferry does not: a warning, in words of uv."""
    work = tmp_path / "work"
    work.mkdir()
    environ = {
        "HOME": str(tmp_path),
        "PATH": os.defpath,
        "XDG_CACHE_HOME": str(tmp_path / "xdg"),
    }
    setup = make_setup(tmp_path, any_uv, environ)._replace(
        cache=tmp_path / "xdg" / "uv"
    )
    facts = look_at_uv(setup)
    assert (facts.said, facts.said_there) == (str(setup.cache), str(setup.cache))

    (work / "pyproject.toml").write_text('[tool.uv]\ncache-dir = "own"\n')
    facts = look_at_uv(setup)
    (finding,) = [f for f in judge_uv(facts) if f.reference == "cache-dir"]
    assert facts.said_there == str(work / "own")
    assert finding.severity is Severity.WARNING

    banned = setup._replace(no_cache=("true", "UV_NO_CACHE"))
    assert look_at_uv(banned).said == ""  # it would name a temporary one

    (work / "uv.toml").write_text("cache-dir = 3\n")
    (finding,) = [f for f in judge_uv(look_at_uv(setup)) if f.reference == "cache-dir"]
    assert finding.severity is Severity.ERROR
    assert "uv.toml" in finding.message


def test_doctor_finds_the_installed_uv_in_order(tmp_path: Path) -> None:
    """Whatever the tests run with is known to the table of formats."""
    (tmp_path / "work").mkdir()
    uv = installed_uv()
    facts = look_at_uv(make_setup(tmp_path, uv, {"HOME": str(tmp_path)}))

    assert [b.release for b in facts.binaries] == [uv.release]
    assert {f.severity for f in judge_uv(facts) if f.reference == "uv"} == {Severity.OK}
