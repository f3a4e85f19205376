#!/bin/sh
# PID 1 of the guest.  Its root is this machine's `/`, read-only through hostfs; an overlay
# takes its place, so that nothing is written here but RIG_OUT.  Its upper layer is memory,
# or with RIG_SYSTEMD the guest's second disk: then systemd takes over, and what is
# written is there after the next boot.  RIG_* come from the kernel's command line.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
die() {
  echo "rig: cannot $*"
  exec poweroff -f
}
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t tmpfs -o mode=755 run /run || die mount
kernel=$(uname -r)
mkdir -p /run/modules/lib/modules /run/overlay
ln -s "/usr/lib/uml/modules/$kernel" "/run/modules/lib/modules/$kernel"
modprobe -d /run/modules overlay || die load overlay
if [ "${RIG_SYSTEMD:-}" ]; then
  mount -t devtmpfs dev /dev 2>/dev/null
  mount -t ext4 -o noatime /dev/ubdb /run/overlay || die mount the second disk
else
  mount -t tmpfs -o size="$RIG_SPACE" overlay /run/overlay || die mount a tmpfs
fi
mkdir -p /run/overlay/upper /run/overlay/work /run/overlay/root
root=/run/overlay/root
mount -t overlay -o lowerdir=/,upperdir=/run/overlay/upper,workdir=/run/overlay/work root $root ||
  die mount the overlay
mount -t proc proc $root/proc && mount -t sysfs sys $root/sys || die mount in the overlay
mount -t devtmpfs dev $root/dev 2>/dev/null || mount --bind /dev $root/dev
mkdir -p $root/dev/shm $root/dev/pts
mount -t devpts devpts $root/dev/pts
mount -t tmpfs shm $root/dev/shm
mount -t tmpfs -o mode=755 run $root/run
mkdir -p $root/run/out $root/run/modules/lib/modules $root/run/host
ln -s "/usr/lib/uml/modules/$kernel" "$root/run/modules/lib/modules/$kernel"
mount -t hostfs out $root/run/out -o "$RIG_OUT" || die mount "$RIG_OUT"
[ "${RIG_SYSTEMD:-}" ] && . "${0%/*}/systemd.sh"
cd $root && pivot_root . run/host || die pivot
[ "${RIG_SYSTEMD:-}" ] &&
  exec chroot . /lib/systemd/systemd </dev/console >/dev/console 2>&1
exec chroot . "$RIG_PYTHON" -I -S -u "$RIG_AGENT" </dev/console >/dev/console 2>&1
