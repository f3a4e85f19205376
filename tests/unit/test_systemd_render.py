"""The text of units and drop-ins."""

import pytest

from wheelferry.errors import UnitsError
from wheelferry.sealed.seal import Seal, read_seal
from wheelferry.systemd import render
from wheelferry.systemd.access import Access
from wheelferry.systemd.escape import quote, quote_program
from wheelferry.systemd.render import Instance

TEMPLATES = {
    "wheelferry@.service": "ExecStart=:@PYTHON@ x\n@SANDBOX@\n[Install]\n",
    "wheelferry-pull@.service": "ExecStart=:@PYTHON@ y\n@SANDBOX@\n",
    "wheelferry-pull@.timer": "[Timer]\n",
    "sandbox.conf": "Nice=10\n",
    "metrics.conf": "SocketBindAllow=tcp:@PORT@\n",
}
ACCESS = Access(
    own="/data/ci", is_own_listed=True, share="/mnt", in_home=(), in_temporary=()
)


def settings(text: str) -> list[str]:
    """Return the lines that are no comments."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("/opt/py", '"/opt/py"'),
        ("/opt/a b", '"/opt/a b"'),
        ("100%", '"100%%"'),
        ('a"b', '"a\\"b"'),
        ("a\\n", '"a\\\\n"'),
        ("-/mnt/größe", '"-/mnt/größe"'),
    ],
)
def test_word_is_quoted(text: str, word: str) -> None:
    """Blanks, percent signs, quotes and backslashes stay what they are."""
    assert quote(text) == word


@pytest.mark.parametrize("text", ["a\nExecStart=/bin/sh", "a\x00b", "\x1b[31m"])
def test_control_characters_are_refused(text: str) -> None:
    """No path can begin another line of a unit."""
    with pytest.raises(UnitsError, match="do not print"):
        quote(text)


@pytest.mark.parametrize("path", ["/opt/it's/python", '/opt/"/python', "/opt/\\/p"])
def test_program_that_systemd_would_not_run_is_refused(path: str) -> None:
    """Quotes and backslashes in the path of the interpreter are an error at once."""
    with pytest.raises(UnitsError, match="quotes or backslashes"):
        quote_program(path)


def test_templates_get_interpreter_and_sandbox() -> None:
    """The daemon's unit, or the pull's with its timer; both in the same sandbox."""
    daemon = render.render_templates(TEMPLATES, python="/opt/a b/py", has_timer=False)
    pull = render.render_templates(TEMPLATES, python="/opt/py", has_timer=True)

    assert {name: settings(text) for name, text in daemon.items()} == {
        "wheelferry@.service": ['ExecStart=:"/opt/a b/py" x', "Nice=10", "[Install]"]
    }
    assert {name: settings(text) for name, text in pull.items()} == {
        "wheelferry-pull@.service": ['ExecStart=:"/opt/py" y', "Nice=10"],
        "wheelferry-pull@.timer": ["[Timer]"],
    }


def test_instance_opens_what_it_needs_and_no_more() -> None:
    """A drop-in has the paths to write to, and opens homes only if they are needed."""
    (path, text), *others = render.render_instance(
        TEMPLATES, Instance(name="ci", user="ci", access=ACCESS)
    ).items()

    assert (path, others) == ("wheelferry@ci.service.d/10-wheelferry.conf", [])
    assert settings(text) == [
        "[Service]",
        'ReadWritePaths="-/mnt"',
        'ReadWritePaths="/data/ci"',
    ]
    assert read_seal(text) is Seal.WHOLE


def test_instance_has_all_that_was_asked_for() -> None:
    """Another name than the user's, a file, homes, `/tmp` and a port each have a line."""
    access = Access(
        own="/var/lib/wheelferry/x",
        is_own_listed=False,
        share="/mnt/100%",
        in_home=("/home/ci/.config\nUser=root",),
        in_temporary=("/tmp/uv",),
        metrics_port=19100,
        textfiles="/var/lib/node exporter",
    )
    instance = Instance(
        name="x",
        user="ci",
        access=access,
        config_file="/etc/w/a b.toml",
    )
    drop_in, metrics = render.render_instance(TEMPLATES, instance).items()

    assert settings(drop_in[1]) == [
        "[Service]",
        "User=ci",
        'Environment="WHEELFERRY_CONFIG=/etc/w/a b.toml"',
        'ReadWritePaths="-/mnt/100%%"',
        'ReadWritePaths="/var/lib/node exporter"',
        "ProtectHome=read-only",
        "PrivateTmp=no",
    ]
    assert metrics[0] == "wheelferry@x.service.d/20-metrics.conf"
    assert settings(metrics[1]) == ["SocketBindAllow=tcp:19100"]


@pytest.mark.parametrize(
    ("is_listed", "lines"),
    [
        (True, ['ReadWritePaths="/srv/ci/run"']),
        (
            False,
            ["RuntimeDirectory=wheelferry/%i", "RuntimeDirectoryPreserve=restart"],
        ),
    ],
)
def test_instance_opens_the_directory_of_its_socket(
    is_listed: bool, lines: list[str]
) -> None:
    """Or has it made, and kept while the service is started again."""
    access = ACCESS._replace(socket="/srv/ci/run", is_socket_listed=is_listed)
    (text,) = render.render_instance(
        TEMPLATES, Instance(name="ci", user="ci", access=access)
    ).values()

    assert settings(text)[-len(lines) :] == lines
    assert len(settings(text)) == 3 + len(lines)


def test_instance_of_a_timer_is_its_own() -> None:
    """The drop-in is for the service that the timer starts, which is what is enabled."""
    instance = Instance(name="ci", user="ci", access=ACCESS, has_timer=True)

    assert instance.unit == "wheelferry-pull@ci.timer"
    assert list(render.render_instance(TEMPLATES, instance)) == [
        "wheelferry-pull@ci.service.d/10-wheelferry.conf"
    ]


@pytest.mark.parametrize("name", ["gitlab-runner", "ci_2.x", "A" * 64])
def test_name_is_accepted(name: str) -> None:
    """Names of users are names of instances."""
    render.check_name(name)


@pytest.mark.parametrize("name", ["", "-ci", ".ci", "a/b", "a b", "DOM\\ci", "a@b"])
def test_name_is_refused(name: str) -> None:
    """What would be another file, or another unit, is no name."""
    with pytest.raises(UnitsError, match="cannot be the name"):
        render.check_name(name)
