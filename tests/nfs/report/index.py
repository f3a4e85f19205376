"""A package index in the guest: `python -m tests.nfs.report.index ADDRESS PORT FOLDER`.

Serves the files of a folder, with the headers of a large public index; writes `ready`,
then one line per request.
"""

import sys
from pathlib import Path

from tests.nfs.report.inputs import read_folder
from wheelferry.sample import PYPI, Dist
from wheelferry.sample.pages import JSON_TYPE, render_json
from wheelferry.sample.server import Answer, Find, Request, Server


def make_answers(dists: tuple[Dist, ...]) -> Find:
    """Return what answers a path: pages, files, and the metadata of wheels."""
    answers: dict[str, Answer] = {}
    for dist in dists:
        page = render_json(dist.name, [dist])
        answers[f"/simple/{dist.name}/"] = Answer(
            body=page,
            content_type=JSON_TYPE,
            cache_control=PYPI.page_cache,
            etag=True,
        )
        files = {f"/files/{dist.filename}": dist.data}
        if dist.is_wheel:
            files[f"/files/{dist.filename}.metadata"] = dist.metadata
        for path, body in files.items():
            answers[path] = Answer(body=body, cache_control=PYPI.file_cache, etag=True)
    return lambda path, _: answers.get(path)


def _note(request: Request) -> None:
    print(request.method, request.path, request.status, flush=True)


def serve(address: tuple[str, int], dists: tuple[Dist, ...]) -> None:
    """Serve these files until the process ends."""
    Server(make_answers(dists), _note, address)
    print("ready", flush=True)


if __name__ == "__main__":
    host, port, folder = sys.argv[1:]
    serve((host, int(port)), read_folder(Path(folder)))
