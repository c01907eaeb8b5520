<?php
/**
 * Reports whether this node reaches the database and the cache (R37). WordPress itself is not loaded: no plugin has a say.
 *
 * 200 while pages can be served, 503 when the database does not answer; an outage of the cache is reported and survived (P9).
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

// Seconds to wait for either: a health check gives up after five.
const WORDPRESS_HA_HEALTH_TIMEOUT = 2;

require '/run/wordpress_ha/wp-config.php';

function wordpress_ha_timed( callable $check ) {
	$started = microtime( true );
	try {
		$state = $check();
	} catch ( Throwable $error ) {
		// Messages name hosts and users; the kind of failure is enough here.
		$state = get_class( $error );
	}
	return array(
		'state' => $state,
		'ms'    => (int) round( 1000 * ( microtime( true ) - $started ) ),
	);
}

function wordpress_ha_check_database( $table_prefix ) {
	mysqli_report( MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT );
	list( $host, $port ) = explode( ':', DB_HOST . ':3306' );
	$link                = mysqli_init();
	$link->options( MYSQLI_OPT_CONNECT_TIMEOUT, WORDPRESS_HA_HEALTH_TIMEOUT );
	$link->options( MYSQLI_OPT_READ_TIMEOUT, WORDPRESS_HA_HEALTH_TIMEOUT );
	$link->real_connect( $host, DB_USER, DB_PASSWORD, DB_NAME, (int) $port, null, MYSQL_CLIENT_FLAGS );
	$link->query( "SELECT option_id FROM {$table_prefix}options LIMIT 1" );
	return 'ok';
}

function wordpress_ha_check_cache() {
	if ( ! defined( 'WORDPRESS_HA_CACHE' ) || in_array( WORDPRESS_HA_CACHE['engine'], array( '', 'none' ), true ) ) {
		return 'none';
	}
	$cache   = WORDPRESS_HA_CACHE;
	$context = $cache['tls'] ? array( 'stream' => array( 'cafile' => $cache['ca_file'], 'verify_peer' => true ) ) : array();
	$redis   = new Redis();
	$redis->connect( ( $cache['tls'] ? 'tls://' : '' ) . $cache['host'], $cache['port'], WORDPRESS_HA_HEALTH_TIMEOUT, null, 0, WORDPRESS_HA_HEALTH_TIMEOUT, $context );
	if ( '' !== $cache['auth'] ) {
		$redis->auth( $cache['auth'] );
	}
	$redis->ping();
	return 'ok';
}

$wordpress_ha_report = array(
	'node'     => gethostname(),
	'database' => wordpress_ha_timed( fn() => wordpress_ha_check_database( $table_prefix ) ),
	'cache'    => wordpress_ha_timed( 'wordpress_ha_check_cache' ),
);
http_response_code( 'ok' === $wordpress_ha_report['database']['state'] ? 200 : 503 );
header( 'Content-Type: application/json' );
echo json_encode( $wordpress_ha_report ), "\n";
