#!/bin/sh
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Claims about a node that can only be checked on it.
set -eu
# The word that only secrets contain, in two parts, so that this file and the log of its call are not among its finds.
canary="canary""7c1e"
wp() { runuser -u www-data -- env HOME=/tmp wp --path=/srv/wordpress/docroot "$@"; }
proved() { echo "proved: $*"; }
failed() { echo "FAILED: $*"; exit 1; }

# shellcheck disable=SC2016 # PHP's variables
cipher=$(wp eval 'global $wpdb; echo $wpdb->get_row("SHOW STATUS LIKE \"Ssl_cipher\"")->Value;')
[ -n "$cipher" ] || failed "no TLS to the database"
proved "WordPress talks to the database over TLS ($cipher)"

cat >/tmp/unverified.php <<'PHP'
<?php
foreach (file('/run/wordpress_ha/wp-config.php') as $line) {
    if (preg_match("/^(define\( 'DB_|define\( 'MYSQL)/", $line)) { eval($line); }
}
mysqli_report(MYSQLI_REPORT_OFF);
[$host, $port] = explode(':', DB_HOST);
$db = mysqli_init();
echo @mysqli_real_connect($db, $argv[1] ?: $host, DB_USER, DB_PASSWORD, DB_NAME, (int) $port, null, MYSQL_CLIENT_FLAGS) ? 'in' : 'refused';
PHP
address=$(getent hosts database.molecule.internal | cut -d' ' -f1)
[ "$(php /tmp/unverified.php '')" = in ] || failed "the database does not let WordPress in"
[ "$(php -d openssl.cafile=/dev/null -d openssl.capath=/nonexistent /tmp/unverified.php '')" = refused ] || failed "a foreign authority is accepted"
proved "a database certificate of a foreign authority is refused"
[ "$(php /tmp/unverified.php "$address")" = refused ] || failed "another name than the certificate's is accepted"
proved "a database certificate of another name is refused"
rm /tmp/unverified.php

readable=$(find / -xdev \( -path /proc -o -path /sys \) -prune -o -type f -perm -o=r -exec grep -lF "$canary" {} + 2>/dev/null || true)
readable="$readable$(find /run /tmp -type f -perm -o=r -exec grep -lF "$canary" {} + 2>/dev/null || true)"
[ -z "$readable" ] || failed "secrets readable by everybody: $readable"
proved "no file that everybody may read holds a secret"
runuser -u nobody -- cat /run/wordpress_ha/wp-config.php 2>/dev/null && failed "nobody reads wp-config.php"
runuser -u www-data -- cat /run/wordpress_ha/contract.json 2>/dev/null && failed "PHP reads the contract"
proved "only root reads the contract, only root and PHP read wp-config.php"
if journalctl --no-pager | grep -q "$canary"; then failed "a secret is in the journal"; fi
proved "no secret is in the journal"
if grep -rq "$canary" /srv/wordpress/shared /opt/wordpress_ha /etc/wordpress_ha/templates; then failed "a secret is on shared files"; fi
proved "no secret is on the shared files or in what is baked in"

[ "$(wp user list --role=administrator --format=count)" = 1 ] || failed "the site was installed more than once"
proved "both nodes installed at once, one installation came of it"
wp eval 'exit( DISABLE_WP_CRON && AUTOMATIC_UPDATER_DISABLED ? 0 : 1 );'
proved "visitors do not run cron, nodes do not update themselves"
wp eval-file - </root/prove_object_cache.php 2>/tmp/notes ||
    { cat /tmp/notes; exit 1; }
