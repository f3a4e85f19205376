"""Locks for the entries of `cachetree`, as uv would have written them."""

import hashlib

from tests.support.entries import INDEX


def lock_of(**sizes: int) -> str:
    """Return a lock of packages and the sizes of their files: wheels, and the sdist `built`."""
    names = ", ".join(f'{{ name = "{name}" }}' for name in sizes)
    head = 'version = 1\nrequires-python = ">=3.11"\n[[package]]\nname = "app"\n'
    root = f'version = "0"\nsource = {{ virtual = "." }}\ndependencies = [{names}]\n'
    parts = [head + root]
    for name, size in sizes.items():
        kind = "registry-sdist" if name == "built" else "registry-wheel"
        digest = hashlib.sha256(f"{name} 1.0 {kind}".encode()).hexdigest()
        file = f"https://files.invalid/{name.replace('-', '_')}-1.0"
        entry = f'hash = "sha256:{digest}", size = {size} }}'
        parts.append(
            f'[[package]]\nname = "{name}"\nversion = "1.0"\n'
            f'source = {{ registry = "{INDEX}" }}\n'
            + (
                f'sdist = {{ url = "{file}.tar.gz", {entry}\n'
                if name == "built"
                else f'wheels = [{{ url = "{file}-py3-none-any.whl", {entry}]\n'
            )
        )
    return "".join(parts)
