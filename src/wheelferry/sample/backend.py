"""The build backend inside every sample sdist (PEP 517, in-tree).

A copy of this file travels in each sdist, and is run by the interpreter that the wheel
is built for: standard library only, Python 3.8 or newer, CPython or PyPy.  It needs no
build dependencies, so that building asks the index for nothing.

It expects the tree that `packages.source_tree` makes: `PKG-INFO`, the package under
`src/`, and for a native one `extension.c`.  There is no hook for metadata alone: a
resolver that cannot read the metadata builds the wheel.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from email import message_from_bytes
from pathlib import Path

BUILD_LOG = "SAMPLE_BUILD_LOG"
"""Names a file that gets one line, `name version tag`, for each wheel built."""


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, object] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build the wheel of the source tree in the working directory (PEP 517)."""
    del metadata_directory
    metadata = Path("PKG-INFO").read_bytes()
    fields = message_from_bytes(metadata)
    name, version = str(fields["Name"]), str(fields["Version"])
    module = name.replace("-", "_")
    files = {
        path.relative_to("src").as_posix(): path.read_bytes()
        for path in Path("src").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    tag = "py3-none-any"
    if Path("extension.c").exists():
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        files[f"{module}/_native{suffix}"] = compile_extension("extension.c")
        tag = native_tag()
    if config_settings:
        settings = json.dumps(config_settings, sort_keys=True)
        files[f"{module}/settings.json"] = settings.encode()
    filename = f"{module}-{version}-{tag}.whl"
    Path(wheel_directory, filename).write_bytes(
        zip_wheel(module, version, tag, files, metadata)
    )
    log = os.environ.get(BUILD_LOG)  # noqa: TID251 - runs in a build, not in wheelferry
    if log:
        with Path(log).open("a", encoding="utf-8") as stream:
            stream.write(f"{name} {version} {tag}\n")
    return filename


def native_tag() -> str:
    """Return the tag of a wheel that is built for this interpreter and machine."""
    version = f"{sys.version_info[0]}{sys.version_info[1]}"
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    if sys.implementation.name == "pypy":
        abi = "_".join(str(sysconfig.get_config_var("SOABI")).split("-")[:2])
        return f"pp{version}-{abi}-{platform}"
    flags = getattr(sys, "abiflags", "")
    return f"cp{version}-cp{version}{flags}-{platform}"


def compile_extension(source: str) -> bytes:
    """Compile a C file to an extension module; raises if there is no compiler.

    With debug information, as Python's own flags have it: this puts the path of the
    build into the file, so two builds of one sdist differ, as real ones do.
    """
    compiler = os.environ.get("CC", "gcc")  # noqa: TID251 - as above
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch, "module.so")
        headers = sysconfig.get_path("include")
        command = [compiler, "-shared", "-fPIC", "-g", "-O1", f"-I{headers}"]
        command += [str(Path(source).absolute()), "-o", str(output), "-lm"]
        subprocess.run(command, check=True)  # noqa: S603 - our own source and flags
        return output.read_bytes()


def zip_wheel(
    module: str, version: str, tag: str, files: dict[str, bytes], metadata: bytes
) -> bytes:
    """Return the bytes of a wheel; equal arguments give equal bytes."""
    info = f"{module}-{version}.dist-info"
    pure = "true" if tag.endswith("-none-any") else "false"
    tags = "".join(f"Tag: {part}\n" for part in _expand(tag))
    wheel = f"Wheel-Version: 1.0\nGenerator: sample\nRoot-Is-Purelib: {pure}\n{tags}"
    members = dict(sorted(files.items()))
    members[f"{info}/METADATA"] = metadata
    members[f"{info}/WHEEL"] = wheel.encode()
    record = "".join(
        f"{path},{_record_digest(data)},{len(data)}\n" for path, data in members.items()
    )
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in members.items():
            member = zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0))
            executable = data.startswith(b"#!") or path.endswith(".so")
            member.external_attr = (0o100755 if executable else 0o100644) << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, data)
    return buffer.getvalue()


def _expand(tag: str) -> list[str]:
    pythons, abis, platforms = (part.split(".") for part in tag.split("-"))
    return [f"{p}-{a}-{f}" for p in pythons for a in abis for f in platforms]


def _record_digest(data: bytes) -> str:
    digest = hashlib.sha256(data).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
