"""Write the pyproject.toml of a project that uses sample packages.

Pure.
"""

from collections.abc import Mapping, Sequence


def render_pyproject(
    *,
    requirements: Sequence[str],
    index_url: str | None,
    sources: Mapping[str, str] | None = None,
    settings: str = "",
    name: str = "sample-project",
    requires_python: str = ">=3.8",
) -> str:
    """Return the text of a pyproject.toml for a project that is not itself a package.

    Args:
        requirements: Its dependencies.
        index_url: The only index that uv may ask; None for those of its configuration.
        sources: By package, the inside of an inline table for `[tool.uv.sources]`:
            `url = "..."`, or `git = "...", rev = "..."`.
        settings: More lines for `[tool.uv]`.
        name: The project's name.
        requires_python: Which interpreters it is locked for.
    """
    quoted = ", ".join(f'"{item}"' for item in requirements)
    lines = [
        "[project]",
        f'name = "{name}"',
        'version = "0"',
        f'requires-python = "{requires_python}"',
        f"dependencies = [{quoted}]",
        "",
        "[tool.uv]",
        "package = false",
        *settings.splitlines(),
    ]
    if index_url is not None:
        lines += ["", "[[tool.uv.index]]", f'url = "{index_url}"', "default = true"]
    if sources:
        lines += ["", "[tool.uv.sources]"]
        lines += [f"{package} = {{ {table} }}" for package, table in sources.items()]
    return "\n".join(lines) + "\n"
