"""The parts of `docs/` that follow from the code.

`python -m tests.support.reference` writes them into the pages, between the comments
`<!-- begin NAME -->` and `<!-- end NAME -->`; a test compares.
"""

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path

import click

from wheelferry import errors
from wheelferry.cli import exits, failure
from wheelferry.cli.command import HELP, CommandWithExits
from wheelferry.cli.group import COMMANDS
from wheelferry.cli.words import FAIL_OPEN
from wheelferry.config.options import OPTIONS, Option
from wheelferry.config.values import ValueKind
from wheelferry.daemon.metrics import CATALOGUE
from wheelferry.doctor.checks.table import CHECKS
from wheelferry.errors import WheelferryError

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "wheelferry"

_GENERAL_CODES = {
    exits.DONE: ("", "Done, or nothing to do."),
    exits.UNWELL: ("", "`doctor` found at least one error."),
    exits.DOUBTFUL: ("", "`doctor` found warnings, and no error."),
    exits.PARTLY_DONE: (
        "",
        "Partly done: `--strict`, and something was left undone; or `gc` cannot reach its budget.",
    ),
}


def error_classes() -> Iterator[type[WheelferryError]]:
    """Yield every error class that a user can meet."""
    for module in (errors, failure):
        for _, found in inspect.getmembers(module, inspect.isclass):
            if found.__module__ != module.__name__ or found is WheelferryError:
                continue
            if issubclass(found, WheelferryError):
                yield found


def render_exits() -> str:
    """Return the table of exit codes."""
    rows: dict[int, list[tuple[str, str]]] = {}
    for code, row in _GENERAL_CODES.items():
        rows.setdefault(code, []).append(row)
    for found in error_classes():
        first = (inspect.getdoc(found) or "").splitlines()[0]
        rows.setdefault(found.exit_code, []).append((f"`{found.reference}`", first))
    lines = ["| Code | Reference | Meaning |", "|---|---|---|"]
    lines += [
        f"| {code} | {reference} | {meaning} |"
        for code in sorted(rows)
        for reference, meaning in sorted(rows[code])
    ]
    return "\n".join(lines)


def render_settings() -> str:
    """Return the reference of all settings."""
    lines: list[str] = []
    section = ""
    for option in OPTIONS.values():
        mine, _, name = option.key.partition(".")
        if mine != section:
            section = mine
            lines += [f"### `[{section}]`", ""]
        lines += [
            f"#### `{name}`",
            "",
            f"{option.help}.",
            "",
            f"* Value: {_form(option.kind)}",
            f"* Default: {option.default}",
            f"* Example: `{name} = {option.example}`",
            f"* Variable: `{option.variable}`{_flag(option)}",
        ]
        if not option.is_protected:
            lines += [
                "* Not final: stronger sources may change the system file's value"
            ]
        lines += [""]
    return "\n".join(lines).rstrip()


def _form(kind: ValueKind) -> str:
    return f"a list; each member is {kind.form}" if kind.is_list else kind.form


def _flag(option: Option) -> str:
    return f"; flag: `{option.flag}`" if option.flag else ""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield each command with its full name."""
    for name in COMMANDS:
        found = import_module(f"wheelferry.cli.commands.{name}").COMMAND
        if isinstance(found, click.Group):
            for sub in found.commands.values():
                yield f"{name} {sub.name}", sub
        else:
            yield name, found


def render_commands() -> str:
    """Return the reference of all commands and the flags that only some of them have."""
    common = {"--config", "--json", "--quiet", "--verbose"}
    lines: list[str] = []
    for name, found in commands():
        assert isinstance(found, CommandWithExits)
        arguments = [p for p in found.params if isinstance(p, click.Argument)]
        usage = " ".join(["wheelferry", name, *(_argument(a) for a in arguments)])
        lines += [f"### `{usage}`", "", inspect.cleandoc(found.help or ""), ""]
        options = [
            p for p in found.params if isinstance(p, click.Option) and p is not HELP
        ]
        own = [option for option in options if common.isdisjoint(option.opts)]
        lines += [f"* {_flags(option)}: {option.help}" for option in own]
        lines += [""] if own else []
        lines += [f"Example: `{found.example}`", ""]
    return "\n".join(lines).rstrip()


def _argument(argument: click.Argument) -> str:
    name = (argument.name or "").upper()
    return name if argument.required else f"[{name}]"


def _flags(option: click.Option) -> str:
    value = "" if option.is_flag or option.count else f" {option.metavar or 'TEXT'}"
    repeated = ", repeatable" if option.multiple else ""
    return f"`{option.opts[0]}{value}`{repeated}"


def events() -> Mapping[str, tuple[str, tuple[str, ...]]]:
    """Return each event that the code emits: its levels, and its fields."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            if _name(node.func) == "Event":
                names = _event_names(given.get("name"))
                levels_given = _levels(given.get("level"))
            elif _name(node.func) == "warn":  # of `Output`
                names, levels_given = _event_names(given.get("reference")), {"warning"}
            else:
                continue
            for name in names:
                levels, fields = found.setdefault(name, (set(), set()))
                levels |= levels_given
                fields |= _keys(given.get("fields"))
    return {
        name: (" or ".join(sorted(levels)), tuple(sorted(fields)))
        for name, (levels, fields) in sorted(found.items())
    }


def _event_names(node: ast.expr | None) -> list[str]:
    """Return the names that an expression can be: none for one that is passed on."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):  # that of a command, and a constant
        *_, last = node.values
        assert isinstance(last, ast.Constant)
        return [f"{command}{last.value!s}" for command in sorted(FAIL_OPEN)]
    return []


def _name(node: ast.expr) -> str:
    """Return what a call calls: the name, or the last part of a dotted one."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _levels(node: ast.expr | None) -> set[str]:
    if node is None:
        return {"info"}
    return {
        part.attr.lower()
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and part.attr.isupper()
    } or {"any"}


def _keys(node: ast.AST | None) -> set[str]:
    if not isinstance(node, ast.Dict):
        return set()
    return {str(k.value) for k in node.keys if isinstance(k, ast.Constant)}


def render_events() -> str:
    """Return the catalogue of events."""
    lines = ["| Event | Level | Fields |", "|---|---|---|"]
    for name, (level, fields) in events().items():
        names = ", ".join(f"`{field}`" for field in fields)
        lines.append(f"| `{name}` | {level} | {names} |")
    return "\n".join(lines)


def render_checks() -> str:
    """Return the table of what `doctor` looks at."""
    lines = ["| Check | What is looked at |", "|---|---|"]
    return "\n".join(
        lines + [f"| `{name}` | {text} |" for name, text in CHECKS.items()]
    )


def render_metrics() -> str:
    """Return the table of all metrics."""
    lines = ["| Metric | Type | Meaning |", "|---|---|---|"]
    return "\n".join(
        lines + [f"| `{m.name}` | {m.kind} | {m.help}. |" for m in CATALOGUE]
    )


def finding_names() -> set[str]:
    """Return the references of `verify`'s findings, but those of errors."""
    found: set[str] = set()
    for path in SOURCE.glob("ops/verify*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or _name(node.func) != "add":
                continue
            # Of `Findings`; what is added to a set is one value.
            if len(node.args) > 3 and isinstance(node.args[1], ast.Constant):
                found.add(str(node.args[1].value))
    return found


def documented_findings() -> set[str]:
    """Return the references in the table of findings in `docs/cli.md`."""
    _, _, text = (DOCS / "cli.md").read_text().partition("## Findings of `verify`\n")
    section, _, _ = text.partition("\n## ")
    return set(re.findall(r"^\| `([\w-]+)` \|", section, flags=re.MULTILINE))


def encoded_names() -> set[str]:
    """Return every field name that a command writes as JSON.

    These are the keys in its encoders, and in what it hands to `Output.document`.
    """
    found: set[str] = set()
    for path in [*SOURCE.glob("cli/render_*.py"), *SOURCE.glob("cli/commands/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            is_encoder = isinstance(node, ast.FunctionDef) and "encode" in node.name
            is_document = isinstance(node, ast.Call) and _name(node.func) == "document"
            if is_encoder or is_document:
                for part in ast.walk(node):
                    found |= _keys(part)
    return found


def documented_names() -> set[str]:
    """Return every field name that `docs/json.md` describes by hand."""
    text = (DOCS / "json.md").read_text()
    text = re.sub(r"<!-- begin (\w+) -->.*?<!-- end \1 -->", "", text, flags=re.DOTALL)
    rows = re.findall(r"^\| `([\w.\[\]]+)` \|", text, flags=re.MULTILINE)
    return {re.sub(r"^.*\.", "", row.removesuffix("[]")) for row in rows}


PARTS: Mapping[str, tuple[str, Callable[[], str]]] = {
    "commands": ("cli.md", render_commands),
    "checks": ("operations.md", render_checks),
    "exits": ("cli.md", render_exits),
    "metrics": ("operations.md", render_metrics),
    "settings": ("cli.md", render_settings),
    "events": ("json.md", render_events),
}
"""By name: the page that a part is in, and what makes it."""


def replace_part(text: str, name: str, part: str) -> str:
    """Return a page's text with one part made new; raises ValueError if it has none."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    head, _, rest = text.partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        raise ValueError(f"no part {name!r}")
    return f"{head}{begin}\n{part}\n{end}{tail}"


def main() -> None:
    """Write all parts into the pages."""
    for name, (page, render) in PARTS.items():
        path = DOCS / page
        path.write_text(replace_part(path.read_text(), name, render()))


if __name__ == "__main__":
    main()
