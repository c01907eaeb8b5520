#!/bin/sh
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs inside a plain Debian container and turns it into what Debian's own cloud image holds: systemd, cloud-init, sshd.
# Arguments: the packages. Nothing is fetched when the bootstrap has installed them already.
set -eu
export DEBIAN_FRONTEND=noninteractive
for package in "$@"; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing="${missing:-} $package"
done
if [ -n "${missing:-}" ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 0755 /usr/sbin/policy-rc.d
    apt-get update -q
    # shellcheck disable=SC2086  # a list of package names
    apt-get install -q -y --no-install-recommends $missing
    rm -f /usr/sbin/policy-rc.d
    apt-get clean
fi
# A container has no console, no udev hardware and no clock of its own.
systemctl mask --quiet getty.target console-getty.service systemd-udevd.service systemd-udev-trigger.service \
    systemd-logind.service systemd-timesyncd.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer || true
rm -f /etc/machine-id /var/lib/dbus/machine-id
: >/etc/machine-id
rm -rf /var/log/apt /var/log/dpkg.log /var/cache/apt/archives/*.deb
