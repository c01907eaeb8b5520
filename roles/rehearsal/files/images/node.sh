#!/bin/sh
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs inside the Debian image and adds the only three stand-ins a rehearsed node contains: the rehearsal's certificate
# authority, a datasource that calls the container an EC2 instance, and mount.nfs4 (the kernel may lack an NFS client).
set -eu
install -m 0644 /build/rehearsal-ca.pem /usr/local/share/ca-certificates/wordpress-ha-rehearsal.crt
update-ca-certificates >/dev/null
# nfs-common, once a role installs it, puts its own helper beside ours instead of over it.
dpkg-divert --quiet --local --rename --divert /usr/sbin/mount.nfs4.distrib --add /usr/sbin/mount.nfs4
install -m 0755 /build/mount.nfs4 /usr/sbin/mount.nfs4
install -m 0644 /build/DataSourceRehearsalEc2.py /usr/lib/python3/dist-packages/DataSourceRehearsalEc2.py
install -m 0644 /build/cloud.cfg /etc/cloud/cloud.cfg.d/90_rehearsal.cfg
printf 'datasource: RehearsalEc2\npolicy: enabled\n' >/etc/cloud/ds-identify.cfg
rm -f /etc/ssh/ssh_host_*
