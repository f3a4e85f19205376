"""The text of hooks, and of lines of variables."""

import pytest

from wheelferry.errors import HooksError
from wheelferry.hooks import render
from wheelferry.hooks.catalogue import Ci
from wheelferry.hooks.render import Site

SITE = Site(
    python="/opt/it's/python",
    scripts="/etc/wheelferry/hooks",
    path=("/usr/bin", "/opt/u v"),
    config_file="",
    socket="/run/w/socket",
    pull_s=0.5,
    promote_s=60,
    cache="/srv/ci/uv",
    builds="/srv/ci/builds",
    volume="/srv/ci",
)
TEMPLATES = {
    "common.sh": "PATH=@PATH@\npython=@PYTHON@\nconfig=@CONFIG@\n",
    "pre-job.sh": "#!/bin/sh\n@COMMON@\nsocket=@SOCKET@ deadline=@DEADLINE_S@\n",
    "post-job.sh": "#!/bin/sh\n@COMMON@\ndeadline=@DEADLINE_S@ $@\n",
}


def test_scripts_have_words_that_a_shell_takes_as_they_are() -> None:
    """Quotes and blanks stay what they are; a deadline is whole seconds, and not 0."""
    scripts = render.render_scripts(TEMPLATES, SITE)

    first, _, *rest = scripts["pre-job.sh"].splitlines()
    assert (first, rest) == (
        "#!/bin/sh",
        [
            "PATH='/usr/bin:/opt/u v'",
            "python='/opt/it'\"'\"'s/python'",
            "config=''",
            "socket='/run/w/socket' deadline=1",
        ],
    )
    assert scripts["post-job.sh"].endswith("\ndeadline=60 $@\n")


@pytest.mark.parametrize("field", ["python", "config_file", "socket"])
def test_control_characters_are_refused(field: str) -> None:
    """No path can begin another line of a script."""
    site = Site(**{**SITE._asdict(), field: "/a\nrm -rf /"})
    with pytest.raises(HooksError, match="do not print"):
        render.render_scripts(TEMPLATES, site)


@pytest.mark.parametrize(
    "path", ["/a b", "/it's", "relative", "/a;b", "/a\n", "", "/ä"]
)
def test_directory_that_would_need_quotes_is_refused(path: str) -> None:
    """It would need other ones in TOML, YAML and a shell."""
    with pytest.raises(HooksError, match="cannot be the directory"):
        render.render_snippets({}, Ci.GENERIC, SITE._replace(scripts=path))


ENV = "A=1\nB=2\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ENV),
        ("C=3", "C=3\nA=1\nB=2\n"),
        ("A=9\n\n# x\nB\nAA=1\n", "\n# x\nAA=1\nA=1\nB=2\n"),
    ],
)
def test_lines_are_set_once(before: str, after: str) -> None:
    """Other lines stay; merging twice is merging once."""
    assert render.merge_env(before, ENV) == after
    assert render.merge_env(after, ENV) == after


def test_only_lines_of_ours_are_dropped() -> None:
    """Another value of the same name is another's."""
    assert render.drop_env("A=1\nB=9\nC=3\n", ENV) == "B=9\nC=3\n"
    assert render.find_foreign("A=1\nB=9\nC=3\n", ENV) == ["B=9"]
    assert render.find_foreign("C=3\n", ENV) == []
