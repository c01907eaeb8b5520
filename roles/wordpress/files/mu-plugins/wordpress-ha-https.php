<?php
/**
 * Plugin Name: WordPress HA https
 * Description: A site whose address is https links to https only, whatever way a request came.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * For the addresses of styles, scripts and pictures WordPress takes the scheme of the request. A page that was asked for by http, as profile
 * `whitepaper` allows, would name them by http, and a cache that does not ask by what scheme would show them to visitors of https (P2).
 *
 * @package wordpress_ha
 */

defined( 'ABSPATH' ) || exit;

add_filter( 'set_url_scheme', 'wordpress_ha_https_url', PHP_INT_MAX, 3 );

/**
 * Return the address with the scheme of the site, where none was asked for.
 *
 * @param mixed $url     The address that WordPress has made.
 * @param mixed $scheme  Its scheme.
 * @param mixed $wanted  The scheme that the caller asked for; null for the request's.
 */
function wordpress_ha_https_url( $url, $scheme, $wanted ) {
	unset( $scheme );
	if ( null === $wanted && is_string( $url ) && defined( 'WP_HOME' ) && 0 === strpos( WP_HOME, 'https://' ) ) {
		return preg_replace( '#^http://#', 'https://', $url );
	}
	return $url;
}
