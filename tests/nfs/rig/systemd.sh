# Read by init.sh: what systemd finds in $root when it starts.
system=$root/etc/systemd/system
if ! [ -e /run/overlay/home ]; then
  # The first boot: none of this machine's services and mounts.
  mkdir /run/overlay/home
  rm -rf $system
  mkdir -p $system/multi-user.target.wants $root/home $root/mnt $root/opt
  : >$root/etc/fstab
  # systemd in a container would leave out some of its work.
  rm -f $root/.dockerenv
  echo host >$root/etc/hostname
  tr -d - </proc/sys/kernel/random/uuid >$root/etc/machine-id
  ln -s /lib/systemd/system/multi-user.target $system/default.target
  ln -s /lib/systemd/system/remote-fs.target $system/multi-user.target.wants
  # Not needed, and slow.
  for unit in getty.target systemd-logind.service dbus.service dbus.socket \
    systemd-binfmt.service systemd-firstboot.service systemd-machine-id-commit.service \
    systemd-modules-load.service systemd-random-seed.service systemd-repart.service \
    systemd-sysusers.service systemd-tmpfiles-setup.service \
    systemd-tmpfiles-setup-dev.service systemd-update-utmp.service systemd-update-utmp-runlevel.service \
    systemd-tmpfiles-clean.timer kmod-static-nodes.service systemd-pstore.service \
    proc-sys-fs-binfmt_misc.automount sys-kernel-debug.mount sys-kernel-tracing.mount \
    sys-kernel-config.mount sys-fs-fuse-connections.mount dev-hugepages.mount \
    systemd-udevd.service systemd-udev-trigger.service systemd-udev-settle.service \
    systemd-udevd-control.socket systemd-udevd-kernel.socket rpcbind.service rpcbind.socket \
    nfs-server.service nfs-client.target nfs-blkmap.service proc-fs-nfsd.mount \
    var-lib-nfs-rpc_pipefs.mount run-rpc_pipefs.mount rpc_pipefs.target rpc-statd.service \
    rpc-statd-notify.service systemd-initctl.socket systemd-ask-password-console.path \
    systemd-ask-password-wall.path systemd-network-generator.service; do
    ln -s /dev/null $system/$unit
  done
  # Of this machine's packages, which are to start nothing.
  mkdir -p $root/etc/systemd/system-generators
  for generator in $root/lib/systemd/system-generators/*; do
    [ "${generator##*/}" = systemd-fstab-generator ] ||
      ln -sf /dev/null "$root/etc/systemd/system-generators/${generator##*/}"
  done
fi
mount --bind /run/overlay/home $root/home || die mount the homes
while read -r source target; do
  mkdir -p "$root$target" && mount --bind "$root$source" "$root$target" || die bind "$source"
done <$root/run/out/binds
units=$root/run/systemd/system
mkdir -p $units/sysinit.target.wants $units/network-online.target.wants
cat >$units/rig-agent.service <<END
[Unit]
DefaultDependencies=no
[Service]
ExecStart="$RIG_PYTHON" -I -S -u "$RIG_AGENT"
StandardError=tty
TTYPath=/dev/console
KillMode=process
OOMScoreAdjust=-900
LimitCORE=0
TasksMax=infinity
END
cat >$units/rig-network.service <<END
[Unit]
Before=network.target network-online.target remote-fs-pre.target
Wants=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=infinity
ExecStart=/bin/sh -c 'until [ -e /run/network-is-up ]; do sleep 0.05; done'
END
ln -s ../rig-agent.service $units/sysinit.target.wants
ln -s ../rig-network.service $units/network-online.target.wants
