#!/bin/sh
# As PID 1 of namespaces of its own becomes a systemd that knows the units of a folder and none besides, on a root of its own:
# an overlay in memory, so that nothing it does to files is seen outside. What systemd brings along, which would clear /tmp
# and set the kernel's parameters, is not there.
# $1: the folder of units, with etc/ for /etc/sluice and run/ for /run/stage. $2: the checkout, for /opt/sluice.
set -eu
[ $$ = 1 ] || exit 1
units=$1 checkout=$2
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o "lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/root
cd /mnt/root
for folder in run tmp var/tmp dev usr/lib/systemd/system etc/systemd opt; do
  mount -t tmpfs tmpfs "$folder"
done
mkdir -p proc sys run/systemd/system run/lock run/stage dev/shm dev/pts dev/mqueue dev/hugepages opt/sluice etc/sluice
for device in null zero full random urandom tty; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount --bind -o ro proc/sys proc/sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --bind "$checkout" opt/sluice
mount --bind "$units" run/systemd/system
mount --bind "$units/etc" etc/sluice
mount --bind "$units/run" run/stage
ip link set lo up
mkdir -p old
pivot_root . old
cd /
umount -l old
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /usr/lib/systemd/systemd --unit=stage.target --log-target=null --show-status=false
