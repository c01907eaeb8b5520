<?php
/**
 * Reports whether this node reaches the database and the cache (R37), and what an operator should know of it besides: what the guard
 * found (P46), mail that failed (P39) and a maintenance that does not end. WordPress itself is not loaded: no plugin has a say.
 *
 * 200 while pages can be served, 503 when the database does not answer; all else is reported and survived (P3, P9).
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Seconds to wait for either: a health check gives up after five.
const WORDPRESS_HA_HEALTH_TIMEOUT = 2;

require '/run/wordpress_ha/wp-config.php';

/** Run a check that returns its state, or its state and more; tell how long it took. */
function wordpress_ha_timed( callable $check ) {
	$started = microtime( true );
	$more    = array();
	try {
		$state = $check();
		if ( is_array( $state ) ) {
			list( $state, $more ) = $state;
		}
	} catch ( Throwable $error ) {
		// Messages name hosts and users; the kind of failure is enough here.
		$state = get_class( $error );
	}
	return array( 'state' => $state, 'ms' => (int) round( 1000 * ( microtime( true ) - $started ) ) ) + $more;
}

/** One connection serves all checks; a database that does not answer is waited for once. */
function wordpress_ha_connect() {
	static $link = null, $failed = null;
	if ( null !== $failed ) {
		throw $failed;
	}
	if ( null === $link ) {
		mysqli_report( MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT );
		list( $host, $port ) = explode( ':', DB_HOST . ':3306' );
		$link                = mysqli_init();
		$link->options( MYSQLI_OPT_CONNECT_TIMEOUT, WORDPRESS_HA_HEALTH_TIMEOUT );
		$link->options( MYSQLI_OPT_READ_TIMEOUT, WORDPRESS_HA_HEALTH_TIMEOUT );
		try {
			$link->real_connect( $host, DB_USER, DB_PASSWORD, DB_NAME, (int) $port, null, MYSQL_CLIENT_FLAGS );
		} catch ( mysqli_sql_exception $error ) {
			$failed = $error;
			throw $error;
		}
	}
	return $link;
}

function wordpress_ha_check_database( $table_prefix ) {
	wordpress_ha_connect()->query( "SELECT option_id FROM {$table_prefix}options LIMIT 1" );
	return 'ok';
}

function wordpress_ha_check_cache() {
	if ( ! defined( 'WORDPRESS_HA_CACHE' ) || in_array( WORDPRESS_HA_CACHE['engine'], array( '', 'none' ), true ) ) {
		return 'none';
	}
	require_once '/opt/wordpress_ha/object-cache/link.php';
	require_once '/opt/wordpress_ha/object-cache/' . ( 'memcached' === WORDPRESS_HA_CACHE['engine'] ? 'memcached.php' : 'valkey.php' );
	$engine = 'memcached' === WORDPRESS_HA_CACHE['engine'] ? WordPress_HA_Cache_Memcached::class : WordPress_HA_Cache_Valkey::class;
	// Without the note of an outage: it is the server that is asked about.
	$settings = array( 'timeout' => WORDPRESS_HA_HEALTH_TIMEOUT, 'outage_file' => '' ) + WORDPRESS_HA_CACHE;
	$link     = new WordPress_HA_Cache_Link( new $engine( $settings ), '' );
	if ( null === $link->run( array( array( 'get', 'health' ) ) ) ) {
		throw new RuntimeException( $link->last_error );
	}
	return 'ok';
}

/** The active plugins, as the database has them, drop-ins and settings against the guard's rules. */
function wordpress_ha_check_guard( $table_prefix, $content ) {
	require_once '/opt/wordpress_ha/mu-plugins/wordpress-ha-guard.php';
	$link    = wordpress_ha_connect();
	$row     = $link->query( "SELECT option_value FROM {$table_prefix}options WHERE option_name = 'active_plugins'" )->fetch_row();
	$plugins = $row ? unserialize( $row[0], array( 'allowed_classes' => false ) ) : array();
	$rules   = new WordPress_HA_Guard_Rules( WORDPRESS_HA_GUARD['allowed'] );
	$found   = $rules->findings( is_array( $plugins ) ? $plugins : array(), $content, defined( 'WP_CACHE' ) && WP_CACHE, WORDPRESS_HA_GUARD['own_object_cache'] );
	$said    = array_map( fn( $one ) => $one['name'] . ( '' === $one['allowed'] ? '' : ' (allowed)' ), $found );
	return array( array_filter( $found, fn( $one ) => '' === $one['allowed'] ) ? 'refused' : 'ok', array( 'found' => $said ) );
}

function wordpress_ha_check_mail() {
	$counts = json_decode( (string) @file_get_contents( '/run/wordpress_ha/mail/counts.json' ), true ) ?: array();
	$last   = $counts['last_failure']['at'] ?? 0;
	return array(
		time() - $last < 3600 ? 'failing' : WORDPRESS_HA_MAIL['transport'],
		array( 'sent' => $counts['sent'] ?? 0, 'failed' => $counts['failed'] ?? 0 ),
	);
}

/** WordPress answers 503 to everybody while this file is younger than ten minutes; then it goes on, whatever was interrupted. */
function wordpress_ha_check_maintenance( $root ) {
	$file = "$root/.maintenance";
	clearstatcache();
	return is_file( $file ) ? array( time() - filemtime( $file ) < 600 ? 'on' : 'left over', array() ) : 'off';
}

$wordpress_ha_root   = '/srv/wordpress/docroot';
$wordpress_ha_report = array(
	'node'        => gethostname(),
	'database'    => wordpress_ha_timed( fn() => wordpress_ha_check_database( $table_prefix ) ),
	'cache'       => wordpress_ha_timed( 'wordpress_ha_check_cache' ),
	'guard'       => wordpress_ha_timed( fn() => wordpress_ha_check_guard( $table_prefix, "$wordpress_ha_root/wp-content" ) ),
	'mail'        => wordpress_ha_timed( 'wordpress_ha_check_mail' ),
	'maintenance' => wordpress_ha_timed( fn() => wordpress_ha_check_maintenance( $wordpress_ha_root ) ),
);
http_response_code( 'ok' === $wordpress_ha_report['database']['state'] ? 200 : 503 );
header( 'Content-Type: application/json' );
echo json_encode( $wordpress_ha_report ), "\n";
