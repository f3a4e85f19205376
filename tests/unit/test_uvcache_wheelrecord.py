"""RECORD against the files of a tree: what was edited does not pass."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.uvcache.wheelrecord import (
    check_record,
    find_dist_info,
    find_record,
)

DIST_INFO = "pure_wheel-1.0.dist-info"
RECORD = f"{DIST_INFO}/RECORD"
CONTENT = {
    "pure_wheel/__init__.py": b"__version__ = '1.0'\n",
    "pure_wheel/empty.txt": b"",
    f"{DIST_INFO}/METADATA": b"Name: pure-wheel\n",
    f"{DIST_INFO}/WHEEL": b"Wheel-Version: 1.0\n",
}


def line(path: str, data: bytes, algorithm: str = "sha256") -> str:
    digest = hashlib.new(algorithm, data).digest()
    value = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return f"{path},{algorithm}={value},{len(data)}"


def lines() -> list[str]:
    return [*(line(path, data) for path, data in CONTENT.items()), f"{RECORD},,"]


def issues(record: list[str] | bytes, content: dict[str, bytes] = CONTENT) -> list[str]:
    if isinstance(record, list):
        record = "\n".join([*record, ""]).encode()
    files = {**content, RECORD: record}
    found = {p: (len(d), hashlib.sha256(d).digest()) for p, d in files.items()}
    return [str(issue) for issue in check_record(record, found)]


def test_sound_tree_has_no_issues():
    """Every file is listed with its digest, RECORD alone without."""
    assert issues(lines()) == []


@given(order=st.permutations(lines()), end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_order_and_line_ends_do_not_matter(order, end):
    """RECORD is CSV, as any tool may write it."""
    assert issues(end.join(order).encode()) == []


@pytest.mark.parametrize(
    "spell",
    [
        lambda text: text.replace("pure_wheel/", "./pure_wheel/", 1),
        lambda text: text.replace(",20\n", ",\n"),
        lambda text: text.replace("pure_wheel/__init__.py", '"pure_wheel/__init__.py"'),
        lambda text: text + f"{DIST_INFO}/RECORD.jws,,\n",
    ],
    ids=["dot", "no-size", "quoted", "jws"],
)
def test_other_spellings_are_as_good(spell):
    """A leading `./`, no size, quotes, and signatures, which need not be there."""
    text = spell("\n".join([*lines(), ""]))
    extra = {f"{DIST_INFO}/RECORD.jws": b"{}"} if "jws" in text else {}
    assert issues(text.encode(), {**CONTENT, **extra}) == []


@pytest.mark.parametrize("path", CONTENT)
def test_edited_file_is_named(path):
    """A changed byte, of the same size or not, is an issue of that file alone."""
    for edited in (CONTENT[path][:-1] + b"#", CONTENT[path] + b"#"):
        (issue,) = issues(lines(), {**CONTENT, path: edited})
        assert issue.startswith(f"{path} ")
        assert "edited?" in issue


def test_missing_file_is_named():
    """A file that RECORD lists and the tree lacks."""
    content = {p: d for p, d in CONTENT.items() if p != "pure_wheel/__init__.py"}
    (issue,) = issues(lines(), content)
    assert issue == "pure_wheel/__init__.py is listed in RECORD, but missing"


def test_extra_file_is_named():
    """A file that RECORD does not list, such as a .pyc that a job left."""
    path = "pure_wheel/__pycache__/x.cpython-311.pyc"
    (issue,) = issues(lines(), {**CONTENT, path: b"pyc"})
    assert issue == f"{path} is not listed in RECORD"


def test_emptied_file_is_named():
    """What a power loss leaves: the name is there, the content is not."""
    (issue,) = issues(lines(), {**CONTENT, f"{DIST_INFO}/WHEEL": b""})
    assert issue.startswith(f"{DIST_INFO}/WHEEL is empty")


@pytest.mark.parametrize(
    "listed",
    [
        "pure_wheel/__init__.py,,20",
        "pure_wheel/__init__.py,,",
        "pure_wheel/__init__.py",
        line("pure_wheel/__init__.py", CONTENT["pure_wheel/__init__.py"], "sha512"),
        line("pure_wheel/__init__.py", CONTENT["pure_wheel/__init__.py"], "md5"),
    ],
)
def test_file_without_a_sha256_cannot_be_checked(listed):
    """uv adds such lines where a wheel forgot files; the wheel is not shared then."""
    (issue,) = issues([listed, *lines()[1:]])
    assert issue.startswith("pure_wheel/__init__.py has no SHA-256")


def test_two_lines_for_one_file_must_agree():
    """Else an edit could hide behind the second."""
    forged = line("pure_wheel/__init__.py", b"other")
    (issue,) = issues([*lines(), forged])
    assert "twice" in issue
    assert issues([*lines(), lines()[0]]) == []


@pytest.mark.parametrize("record", [b"\xff\xfe", b'"open', b'a,"b"c,1\n'])
def test_record_that_is_no_csv_is_an_issue(record):
    """Damage is told, and not raised."""
    (issue,) = issues(record)
    assert issue.startswith(f"{RECORD} cannot be read")


@given(record=st.binary(max_size=80))
def test_any_record_gives_issues(record):
    """Hostile bytes never raise, and never pass."""
    assert issues(record)


def test_record_that_changed_meanwhile_is_an_issue():
    """The RECORD that was read is the one that was packed."""
    found = {RECORD: (3, hashlib.sha256(b"new").digest())}
    (issue,) = check_record(b"old", found)
    assert str(issue) == f"{RECORD} changed while the tree was read"


def test_missing_record_is_an_issue():
    """Without RECORD nothing can be checked."""
    found = {p: (len(d), hashlib.sha256(d).digest()) for p, d in CONTENT.items()}
    assert [i.problem for i in check_record(None, found)] == ["is missing"]
    assert [i.problem for i in check_record(b"", found)] == ["is missing"]


@pytest.mark.parametrize(
    ("paths", "dist_info"),
    [
        (["a-1.dist-info/RECORD", "a/x.py"], "a-1.dist-info"),
        (["a-1.dist-info/RECORD", "b-1.dist-info/RECORD"], None),
        (["a/a-1.dist-info/RECORD"], None),
        (["a-1.dist-info"], None),
        ([], None),
    ],
)
def test_dist_info_is_the_only_one_at_the_top(paths, dist_info):
    """Two of them, or one further down, are none."""
    assert find_dist_info(paths) == dist_info


@pytest.mark.parametrize("name", ["foo-bar", "other"])
def test_record_belongs_to_the_package(name):
    """Its directory has the package's name, in any spelling."""
    paths = ["Foo.Bar-1.0.dist-info/RECORD", "foo_bar.py"]
    assert (find_record(paths, name) is None) == (name == "other")
