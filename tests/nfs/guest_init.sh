#!/bin/sh
# First process of the machine that mounts: file systems, network, then the measurement, then off. Its root is read-only.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
for folder in /run /tmp /srv /mnt /var/lib /var/log; do mount -t tmpfs -o mode=0755 tmp $folder; done
chmod 1777 /tmp
mkdir -p /dev/shm /run/php /run/mysqld /var/lib/nginx /var/log/nginx /mnt/lab /mnt/modules
mount -t tmpfs shm /dev/shm
for word in $(cat /proc/cmdline); do
    case $word in lab=*) lab=${word#lab=} ;; esac
done
mount -t hostfs none /mnt/lab -o "$lab"
mount -t hostfs none /mnt/modules -o /usr/lib/uml/modules
ip link set lo up
ip address add 10.99.7.2/24 dev vec0
ip link set vec0 up
python3 /mnt/lab/guest.py >/mnt/lab/guest.log 2>&1 || echo "failed, see guest.log" >/mnt/lab/failed
sync
echo o >/proc/sysrq-trigger
sleep 10
