"""The flags of `wheelferry verify`, what it says, and its exit codes."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.cachetree import few, make_cache
from tests.support.forge import object_path, overwrite
from tests.support.soundness import objects
from tests.support.tiers import Ferry, make_store
from wheelferry.cli.failure import run_guarded
from wheelferry.cli.session import Process


class Admin:
    """Somebody with a shell: a home, the store, and a runner that has promoted."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.store = make_store(home / "store")
        self.cache = make_cache(home / "cache", few())
        self.ferry = Ferry(cache=self.cache, store=self.store)
        self.ferry.promote()
        self.out = self.err = ""

    def verify(self, *argv: str) -> int:
        """Run the command; return its exit code."""
        out, err = io.StringIO(), io.StringIO()
        process = Process(
            environ={
                "HOME": str(self.home),
                "UV_CACHE_DIR": str(self.home / "admin"),
                "WHEELFERRY_STORE_PATH": str(self.store),
                "WHEELFERRY_RUNNER_NAME": "admin",
            },
            system_file=str(self.home / "system.toml"),
            stdout=out,
            stderr=err,
        )
        code = run_guarded(["verify", *argv], process)
        self.out, self.err = out.getvalue(), err.getvalue()
        return code

    def verify_json(self, *argv: str) -> tuple[int, Any]:
        """Run it with --json; return its exit code and the document."""
        code = self.verify("--json", *argv)
        return code, json.loads(self.out)

    def damage(self) -> str:
        """Damage one pack; return its digest."""
        digest = min(objects(self.store))
        path = object_path(self.store, digest)
        overwrite(path, path.read_bytes()[::-1])
        return digest


@pytest.fixture
def admin(tmp_path: Path) -> Admin:
    """Return one, with a sound store."""
    return Admin(tmp_path)


def test_fix_mends_and_still_says_that_there_was_damage(admin: Admin) -> None:
    """So that whoever runs it from cron hears of it; the next run is clean."""
    digest = admin.damage()
    code, report = admin.verify_json("--fix")

    assert code == 30
    assert report["fixed"] == {
        "objects": 1,
        "segments": 0,
        "recovered": 0,
        "records": 1,
        "leftovers": 0,
        "purged": 0,
        "refused": None,
    }
    assert [finding["subject"] for finding in report["findings"]] == [digest]
    code, report = admin.verify_json()
    assert (code, report["clean"], report["fixed"]) == (0, True, None)
    assert report["quarantined"] == 1
    assert len(admin.ferry.promote().promoted) == 1


def test_without_fix_nothing_is_mended(admin: Admin) -> None:
    """And it says how it would be."""
    digest = admin.damage()

    assert admin.verify() == 30
    assert "is DAMAGED" in admin.out
    assert "verify --fix" in admin.out
    assert object_path(admin.store, digest).exists()
    assert list(admin.store.glob("quarantine/*")) == []


def test_fix_says_what_it_did(admin: Admin) -> None:
    """In one line, at the end."""
    admin.damage()
    admin.verify("--fix")
    *_, last = admin.out.splitlines()

    assert last == (
        "fixed: 1 object moved into quarantine; 1 record removed, to be promoted anew"
    )
    assert "moved into quarantine: objects/" in admin.err
    admin.verify("--fix")
    assert admin.out.splitlines()[-1] == "fixed: nothing was to be done"
    assert "1 file in quarantine from before" in admin.out


def test_sample_says_that_it_is_one(admin: Admin) -> None:
    """What was not read is not called clean in silence."""
    code, report = admin.verify_json("--sample", "1%")
    assert (code, report["objects"], report["read"]) == (0, 2, 1)

    admin.verify("--sample", "1%")
    assert "read 1 object" in admin.out
    assert "of the others only whether they are there" in admin.out


def test_samples_remember_what_was_read(admin: Admin) -> None:
    """From one run of the program to the next: so two of a half read all."""
    digest = admin.damage()
    found = [admin.verify_json("--sample", "1%")[0] for _ in range(3)]
    assert 30 in found
    assert object_path(admin.store, digest).exists()
    assert (admin.home / "admin.wheelferry/verified.sqlite").exists()


def test_since_reads_what_is_new(admin: Admin) -> None:
    """By the server's clock."""
    assert admin.verify_json("--since", "1d")[1]["read"] == 2
    path = object_path(admin.store, min(objects(admin.store)))
    os.utime(path, (1000, 1000))
    assert admin.verify_json("--since", "1d")[1]["read"] == 1


@pytest.mark.parametrize(
    "argv",
    [
        ("--sample", "0%"),
        ("--sample", "101%"),
        ("--sample", "5"),
        ("--sample", "x%"),
        ("--since", "yesterday"),
        ("--cache", "--fix"),
        ("--cache", "--sample", "5%"),
        ("--cache", "--since", "5d"),
        ("--cache", "--restart"),
    ],
    ids=" ".join,
)
def test_flags_that_make_no_sense_are_refused(
    admin: Admin, argv: tuple[str, ...]
) -> None:
    """Before anything is read."""
    assert admin.verify(*argv) == 2
    assert argv[0] in admin.err
    assert admin.out == ""


@pytest.mark.parametrize("where", ["objects", "objects/00", "catalog"])
def test_store_with_a_link_in_it_is_not_read(admin: Admin, where: str) -> None:
    """Nothing is followed out of the store, with --fix least of all."""
    elsewhere = admin.home / "elsewhere"
    (admin.store / where).rename(elsewhere)
    (admin.store / where).symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))

    for argv in ((), ("--fix",)):
        assert admin.verify(*argv) == 34
        assert f"{where} in the store" in admin.err
    assert sorted(elsewhere.rglob("*")) == before


def test_cache_that_was_edited_is_damage(admin: Admin) -> None:
    """With the exit code that damage has; the store need not be there."""
    code, report = admin.verify_json("--cache", str(admin.cache))
    assert (code, report["clean"], report["archives"]) == (0, True, 2)
    (module,) = admin.cache.glob("archive-v0/*/pure_wheel/__init__.py")
    module.write_text("edited")
    (admin.store / "wheelferry.json").unlink()

    code, report = admin.verify_json("--cache", str(admin.cache))
    assert (code, report["clean"], report["edited"]) == (30, False, 1)
    assert str(module) in report["findings"][0]["subject"]
    admin.verify("--cache", str(admin.cache))
    assert admin.out.splitlines()[-1].startswith(f"{admin.cache} is EDITED: 2 unpacked")


def test_cache_of_this_user_is_that_of_the_configuration(admin: Admin) -> None:
    """Without a directory."""
    assert admin.verify("--cache") == 11
    assert str(admin.home / "admin") in admin.err
    make_cache(admin.home / "admin", few())
    assert admin.verify("--cache") == 0


def test_state_that_cannot_be_written_is_done_without(admin: Admin) -> None:
    """A verification by somebody without a cache reads everything."""
    (admin.home / "admin.wheelferry").write_text("in the way")
    assert admin.verify("-v") == 0
    assert "is not remembered" in admin.err
