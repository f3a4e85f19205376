"""What the kernel counts of NFS mounts, as its text has it."""

from wheelferry.disk.mountstats import Traffic, decode_mountstats

TEXT = """\
device /dev/sda1 mounted on / with fstype ext4
device server:/x mounted on /mnt/with\\040blank with fstype nfs4 statvers=1.1
\topts:\trw,vers=4.2,hard
\tage:\t12
\tevents:\t1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27
\tbytes:\t1 2 3 4 5000 600 7 8
\tRPC iostats version: 1.1  p/v: 100003/4 (nfs)
\txprt:\ttcp 0 0 1 0 0 20 20 0 20 0 2 0 0
\tper-op statistics
\t        NULL: 1 1 0 44 24 0 0 0 0
\t        READ: 20 21 0 4000 5000000 0 9 9 0
\t       WRITE: 3 3 0 700 400 0 1 1 0
device tmpfs mounted on /tmp with fstype tmpfs
device server:/y mounted on /mnt/y with fstype nfs statvers=1.1
\tper-op statistics
\t     GETATTR: 7 7 0 1 2 3 4 5 6
"""


def test_calls_and_bytes_are_told_by_mount() -> None:
    """The first number of each operation, not how often it was sent; and no other line."""
    assert decode_mountstats(TEXT) == {
        "/mnt/with blank": Traffic(rpcs=24, read_bytes=5000, written_bytes=600),
        "/mnt/y": Traffic(rpcs=7),
    }


def test_difference_is_what_was_added() -> None:
    """Of two readings of one mount."""
    assert Traffic(9, 8, 7).since(Traffic(4, 2, 7)) == Traffic(5, 6, 0)
