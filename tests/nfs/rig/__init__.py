"""Real kernel NFS in one User-Mode Linux guest: a server, and runners as its clients.

The guest is an ordinary process; it needs neither root nor KVM, and changes nothing on
this machine.  Network namespaces inside it play the machines of a small site, each with
a host name, a mount table and an NFS client identity of its own.

    with Site.open(scratch, runners=2) as site:
        export = site.server.export("wheels")
        a, b = site.runners
        a.mount(export)
        done = a.run("ls", "-l", a.share)
        print(done.stdout, done.traffic.rpcs, done.traffic.ops)
        with site.server.unplugged():
            ...

`guest` boots and talks to `agent`, which runs inside; `machines` has what a test calls.
"""

from tests.nfs.rig.guest import Guest, GuestFailed, is_guest
from tests.nfs.rig.machines import Export, Machine, Ran, Runner, Running, Server, Site
from tests.nfs.rig.mountstats import Traffic
from tests.nfs.rig.needs import HOW_TO, find_missing

__all__ = [
    "HOW_TO",
    "Export",
    "Guest",
    "GuestFailed",
    "Machine",
    "Ran",
    "Runner",
    "Running",
    "Server",
    "Site",
    "Traffic",
    "find_missing",
    "is_guest",
]
