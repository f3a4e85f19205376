"""The pages in `docs/` say what the program does."""

import inspect
import re
from pathlib import Path

import click
import pytest

from tests.support import reference
from wheelferry.cli.command import CommandWithExits
from wheelferry.cli.group import COMMANDS
from wheelferry.cli.words import FAIL_OPEN
from wheelferry.errors import WheelferryError

UPDATE = "run: python -m tests.support.reference"


@pytest.mark.parametrize("name", reference.PARTS)
def test_generated_part_is_current(name: str) -> None:
    """What follows from the code is in the page as the code has it now."""
    page, render = reference.PARTS[name]
    text = (reference.DOCS / page).read_text()
    assert reference.replace_part(text, name, render()) == text, UPDATE


def test_every_json_field_is_documented() -> None:
    """docs/json.md describes each field that a command writes, and no other."""
    documented = reference.documented_names()
    assert reference.encoded_names() - documented == set()
    general = {"schema", "type", "level", "message", "reference", "exit_code"}
    general |= {"cause", "hint", "error"}
    assert documented - reference.encoded_names() - general == set()


def test_every_finding_is_documented() -> None:
    """docs/cli.md describes each finding of `verify`, and no other."""
    assert reference.finding_names()
    assert reference.documented_findings() == reference.finding_names()


def test_every_link_between_pages_leads_somewhere() -> None:
    """A link to another page names a file, and a heading that is in it."""
    broken = []
    for page in [*reference.ROOT.glob("*.md"), *reference.DOCS.glob("*.md")]:
        for link in re.findall(r"\]\(((?!https?:)[^)]+)\)", page.read_text()):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            if not target.is_file() or (anchor and anchor not in _anchors(target)):
                broken.append(f"{page.name}: {link}")
    assert broken == []


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


def test_exit_code_belongs_to_one_class() -> None:
    """No two errors share a code or a reference, but for wrong usage, as click has it."""
    classes = list(reference.error_classes())
    codes = [c.exit_code for c in classes if c.reference != "usage"]
    references = [c.reference for c in classes]
    assert len(codes) == len(set(codes))
    assert len(references) == len(set(references))


def test_exit_codes_keep_to_their_families() -> None:
    """Tens are families: a subclass has its base's ten."""
    for found in reference.error_classes():
        base = found.__mro__[1]
        assert issubclass(found, WheelferryError)
        if base is not WheelferryError and issubclass(base, WheelferryError):
            assert found.exit_code // 10 == base.exit_code // 10


def test_command_says_what_the_list_says() -> None:
    """The first sentence of a command's help is its line in `wheelferry --help`."""
    for name, found in reference.commands():
        if " " not in name:
            first = inspect.cleandoc(found.help or "").splitlines()[0]
            assert first == COMMANDS[name]


def test_commands_around_jobs_can_be_strict() -> None:
    """Exactly the commands that fail open have `--strict`."""
    strict = {
        name
        for name, found in reference.commands()
        if any("--strict" in option.opts for option in found.params)
    }
    assert strict == FAIL_OPEN


def test_help_ends_with_exit_codes_and_an_example() -> None:
    """Each command's help has them, in that order, after its options."""
    for name, found in reference.commands():
        assert isinstance(found, CommandWithExits)
        text = found.get_help(click.Context(found, info_name=name))
        options, exits, example = (
            text.index("Options:"),
            text.index("Exit codes:"),
            text.index(f"Example: {found.example[:40]}"),
        )
        assert options < exits < example
