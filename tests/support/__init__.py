"""What the tests of real uv stand on.

* `wheelferry.sample` (in the product, for `wheelferry demo` too): `make_wheel`,
  `make_sdist`, and `Index`, a server on the loopback that writes down each request.
* `packages`: one package of each kind; `git`: repositories; `site`: all of it served.
* `uvs`: uv binaries of several versions; `pythons`: the interpreters of this machine.
* `fleet`: a store that runners share, by functions or by the program; `archives`: are
  all archives of a cache sound?
* `runner`: a CI runner in a folder; `project`: what its jobs check out.

Fixtures (`tests/conftest.py`): `site`, `new_runner`, `uv` (the newest), `each_uv` (the
test runs once per version), `other_python`, `packages`.

    def test_pull_leaves_uv_nothing_to_fetch(site, new_runner, each_uv):
        project = site.project()          # with a lock; the index's log is empty again
        a, b = new_runner("a", each_uv), new_runner("b", each_uv)
        cold = a.sync(project)            # uv sync --frozen, into a new .venv
        assert len(cold.builds) == 4      # told by the build backend, not by uv
        assert len(cold.downloads) == 6   # requests for files; .requests has all

        fleet = make_fleet(tmp_path / "store")
        fleet.promote(a)                  # or fleet.command(a, "promote", "--strict")
        fleet.pull(b)

        warm = b.sync(project)            # raises UvFailed with uv's output if it fails
        assert (warm.requests, warm.builds) == ((), ())
        assert not warm.fell_back_to_copies
        assert b.copied_files() == []     # all hardlinks, by inode
        b.sync(project, "--offline")

Parts of it:

* `site.project(["pure-sdist==1.0"], settings='config-settings = { taste = "mint" }')`
  is another project; `sources={"url-wheel": 'url = "..."'}` gives a package a source.
  There are `pure-wheel` and `pure-sdist` 1.0 and 1.1, `native-wheel`, `cext-sdist`,
  `git-dep`, `url-wheel`, `url-sdist`, and `dynamic-sdist`, which uv has to build to
  resolve it.  `native-wheel` is for the interpreter of the tests only: leave it out of
  projects for another Python.
* `site.index.policy = POLICIES["no-headers"]` changes how the index behaves;
  `site.index.add(make_wheel("extra", "2.0"))` adds or replaces a file;
  `site.index.requests`, `.forget_requests()`, `.body_bytes` are its log.
* `runner.sync(project, "--reinstall")`; with `"--locked"` in place of `--frozen`.
  `ok=False` lets it fail, `umask=0o077` and `env={...}` change how it runs.
* `runner.run("cache", "prune")` is any command of uv; `runner.pip("install", ...)` is
  `uv pip` on the environment, which is made if missing; `runner.work` is where it runs.
* `runner.python_says("import cext_sdist._native as n; print(n.answer())")` is "42".
* `new_runner("p", python=other_python)` has another interpreter.
* `uvs.load_uv_or_skip("0.12.0")` is a uv of any other version.
"""
