# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes a network of sites beside the site, asks it what WordPress expects of an object cache, and takes it away again:
#     sh prove_object_cache_network.sh DOCROOT FOLDER
# The network runs the site's code with the site's settings, but for its own prefix of tables and of names in the cache; its configuration
# reads the site's, so that no password is written anywhere. FOLDER, which must not exist, is its ABSPATH.
set -eu
docroot=$1
network=$2
proofs=$(dirname "$0")
mkdir "$network"
trap 'rm -rf "$network"' EXIT
for entry in "$docroot"/*; do
	[ "${entry##*/}" = wp-config.php ] || ln -s "$entry" "$network/"
done

configure() {
	cat > "$network/wp-config.php" <<-END
	<?php
	\$table_prefix = 'proof_network_';
	foreach ( array( '/run/wordpress_ha/wp-config.php', '$docroot/wp-config.php' ) as \$file ) {
	    if ( is_readable( \$file ) ) {
	        \$words = (string) file_get_contents( \$file );
	        \$gone  = array( '/^<\?php/', '/^\\\$table_prefix.*\$/m', '/^require.*\$/m', '/^.*define\(\s*.(WP_HOME|WP_SITEURL|FORCE_SSL_ADMIN).*\$/m' );
	        \$words = preg_replace( \$gone, '', \$words );
	        \$words = str_replace( 'WP_SITEURL', '"http://network.invalid"', \$words );
	        \$words = preg_replace( "/('prefix'\s*=>\s*')/", '\$1network-$$-', \$words );
	        eval( \$words );
	        break;
	    }
	}
	$1
	require_once ABSPATH . 'wp-settings.php';
	END
}

wp() {
	command wp --path="$network" --url=http://network.invalid "$@"
}

# Its tables may be left by a run that was killed.
forget() {
	command wp --path="$docroot" eval-file "$proofs/prove_object_cache_network.php" forget
}

trap 'forget; rm -rf "$network"' EXIT
forget
configure ''
wp core multisite-install --title=Network --admin_user=proof --admin_email=proof@example.com --skip-email --skip-config > /dev/null
configure "define( 'MULTISITE', true ); define( 'SUBDOMAIN_INSTALL', false ); define( 'DOMAIN_CURRENT_SITE', 'network.invalid' );
	define( 'PATH_CURRENT_SITE', '/' ); define( 'SITE_ID_CURRENT_SITE', 1 ); define( 'BLOG_ID_CURRENT_SITE', 1 );"
wp eval-file "$proofs/prove_object_cache_core.php"
wp eval-file "$proofs/prove_object_cache_network.php" prove
