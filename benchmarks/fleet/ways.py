"""Ways to share what uv downloads and builds: what a good admin would write around a job.

Scripts are for `sh -eu`, with these variables: `SHARE`, `LOCAL` (the runner's disk), `CACHE`
(`UV_CACHE_DIR`), `WORK` (the checkout), `RUNNER`, `WHEELFERRY` (the program), `PYTHON` (which has it), and `PROXY_URL`
where there is a proxy.  What a way keeps on a runner's disk is there for its next job.
"""

from collections.abc import Collection
from dataclasses import dataclass

from benchmarks.fleet.index import SIMPLE_URL, URL
from benchmarks.fleet.names import Scenario
from benchmarks.fleet.names import Way as Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way.

    Attributes:
        name: In samples and tables.
        id: On the command line.
        cache: Where the uv cache is.
        begin: Runs once for an empty share, on the first runner.
        prepare: Runs on a new runner before its first job.
        check_out: Runs in each new checkout.
        settle: Runs before a job and after it; only what it asks of the share counts.
        before, after: Run before `uv sync` and after it, and are the job's.
        end: Runs on each runner before it loses its disk.
        has_proxy: Whether a caching proxy is there, empty at first.
        scenarios: Those that it is for.
    """

    name: Name
    id: str
    cache: str = "$LOCAL/cache"
    begin: str = ""
    prepare: str = ""
    check_out: str = ""
    settle: str = ""
    before: str = ""
    after: str = ""
    end: str = ""
    has_proxy: bool = False
    scenarios: Collection[Scenario] = frozenset(Scenario)


_FETCH_ALL = """\
if [ -d "$SHARE/cache" ]; then {copy} "$SHARE/cache/." "$CACHE/"; fi
"""
_STORE_ALL = """\
mkdir -p "$SHARE/cache"
{copy} "$CACHE/." "$SHARE/cache/"
"""
_RSYNC = "rsync -a --exclude=/.lock"
_CP = "cp -a --update"

# An archive that is the runner's own, or was extracted before, is not extracted again.
_EXTRACT = """\
if now=$(stat -c '%i %Y %s' "$SHARE/cache.tar.zst" 2>/dev/null) &&
  [ "$now" != "$(cat "$LOCAL/extracted" 2>/dev/null)" ]
then
  tar -I zstd -xf "$SHARE/cache.tar.zst" -C "$CACHE"
  echo "$now" >"$LOCAL/extracted"
fi
touch "$LOCAL/began"
"""
_UPLOAD = """\
new=$(find "$CACHE" -newer "$LOCAL/began" -type f ! -name .lock -print -quit)
if [ "$new" ]; then
  tar -I 'zstd -T0' --exclude=./.lock -cf "$SHARE/.$RUNNER.tmp" -C "$CACHE" .
  mv "$SHARE/.$RUNNER.tmp" "$SHARE/cache.tar.zst"
  stat -c '%i %Y %s' "$SHARE/cache.tar.zst" >"$LOCAL/extracted"
fi
"""

# The bytes of the share, and the files, each by the shortest way: they have nothing to do
# with each other.
_UNPACK_ASIDE = """\
if [ -e "$SHARE/cache.tar.zst" ]; then
  zstd -dq "$SHARE/cache.tar.zst" -o "$LOCAL/cache.tar"
fi
"""
_READ_AND_WRITE = """\
if [ -e "$LOCAL/cache.tar" ]; then
  cat "$SHARE/cache.tar.zst" >/dev/null
  tar -xf "$LOCAL/cache.tar" -C "$CACHE"
fi
touch "$LOCAL/began"
"""

# As a team has it that locks by way of the proxy: its URLs are in the lock.  In those of
# files, the proxy wants the package's normalised name.
_ASK_PROXY = rf"""
sed -Ei "
  s#{SIMPLE_URL}#$PROXY_URL#
  s#{URL}/files/([^-\"]+)-#$PROXY_URL/\1/\1-#
  :more
  s#($PROXY_URL/[^/_\"]*)_([^/\"]*/)#\1-\2#
  t more
" "$WORK/pyproject.toml" "$WORK/uv.lock"
"""

# One CPU may be busy with all runners: nobody shall run into the deadline.
_PULL = '"$WHEELFERRY" pull --deadline=10m --strict'
_PROMOTE = '"$WHEELFERRY" promote --strict'
_INIT = '"$WHEELFERRY" init "$SHARE/store"'

_WAIT_FOR_PULL = 'PYTHONPATH="$BENCHMARKS" "$PYTHON" -m benchmarks.fleet.calm "$CACHE"'
_SETTLE = f"""
if [ -e "$LOCAL/daemon.pid" ]; then {_WAIT_FOR_PULL} "$SHARE/store"; fi
"""
# As in its unit; the first job of a runner comes with the boot.
_START_DAEMON = f"""
if [ ! -e "$LOCAL/daemon.pid" ]; then
  setsid nice -n 10 "$WHEELFERRY" daemon </dev/null >"$LOCAL/daemon.log" 2>&1 &
  echo $! >"$LOCAL/daemon.pid"
  {_WAIT_FOR_PULL}
fi
"""
_STOP_DAEMON = """
if [ -e "$LOCAL/daemon.pid" ]; then
  read -r pid <"$LOCAL/daemon.pid"
  kill "$pid" || true
  while grep -qs . "/proc/$pid/cmdline"; do sleep 0.05; done
fi
"""

WAYS = (
    Way(name=Name.NO_SHARING, id="none"),
    Way(name=Name.SHARED_CACHE, id="shared", cache="$SHARE/cache"),
    Way(
        name=Name.RSYNC,
        id="rsync",
        before=_FETCH_ALL.format(copy=_RSYNC),
        after=_STORE_ALL.format(copy=_RSYNC),
    ),
    Way(
        name=Name.CP,
        id="cp",
        before=_FETCH_ALL.format(copy=_CP),
        after=_STORE_ALL.format(copy=_CP),
    ),
    Way(name=Name.TAR, id="tar", before=_EXTRACT, after=_UPLOAD),
    Way(name=Name.PROXY, id="proxy", check_out=_ASK_PROXY, has_proxy=True),
    Way(name=Name.WHOLE, id="wheelferry", begin=_INIT, before=_PULL, after=_PROMOTE),
    Way(
        name=Name.LOCK,
        id="lock",
        begin=_INIT,
        before=f'{_PULL} --project "$WORK"',
        after=_PROMOTE,
    ),
    Way(
        name=Name.DAEMON,
        id="daemon",
        begin=_INIT,
        settle=_SETTLE,
        before=_START_DAEMON,
        end=_STOP_DAEMON,
    ),
    Way(
        name=Name.FLOOR,
        id="floor",
        prepare=_UNPACK_ASIDE,
        before=_READ_AND_WRITE,
        after=_UPLOAD,
        scenarios=frozenset({Scenario.JOINS}),
    ),
)
BY_ID = {way.id: way for way in WAYS}
