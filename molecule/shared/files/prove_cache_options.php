<?php
/**
 * 25 workers of this node change options for a while, as those of the other node do: wp eval-file prove_cache_options.php <seconds>
 *
 * Each change is a request of its own, with what a request does: read, change, read again (P10). Afterwards, once nobody writes, run
 * it with 0 seconds: what the cache says must be what the database says.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

const PROOF_WORKERS = 25;
const PROOF_OPTIONS = 12; // half of them loaded with all others

function proof_request(): void {
	$GLOBALS['wp_object_cache']->close();
	$GLOBALS['wp_object_cache'] = new WP_Object_Cache( array( 'defers' => true, 'timeout' => 5 ) + WORDPRESS_HA_CACHE );
	wp_cache_add_global_groups( array( 'site-options', 'users' ) );
}

function proof_change( int $number ): void {
	$name = "proof_option_$number";
	switch ( wp_rand( 0, 9 ) ) {
		case 0:
			delete_option( $name );
			break;
		case 1:
			add_option( $name, wp_rand(), '', 0 === $number % 2 );
			break;
		default:
			get_option( $name );
			update_option( $name, wp_rand(), 0 === $number % 2 );
			get_option( 'proof_option_' . wp_rand( 1, PROOF_OPTIONS ) );
	}
}

$seconds  = (int) ( $args[0] ?? 20 );
$children = array();
for ( $worker = 0; $worker < PROOF_WORKERS && $seconds; $worker++ ) {
	$child = pcntl_fork();
	if ( $child ) {
		$children[] = $child;
		continue;
	}
	$GLOBALS['wpdb']->db_connect(); // two processes must not share a connection
	$changes = 0;
	for ( $until = time() + $seconds; time() < $until; $changes++ ) {
		proof_request();
		proof_change( wp_rand( 1, PROOF_OPTIONS ) );
	}
	$GLOBALS['wp_object_cache']->close();
	$usable = $GLOBALS['wp_object_cache']->status()['usable'];
	file_put_contents( '/tmp/proof_changes', "$changes\n", FILE_APPEND | LOCK_EX );
	// WordPress's own end would use the parent's connections.
	posix_kill( getmypid(), $usable ? SIGKILL : SIGTERM );
}
$in_use = 0;
foreach ( $children as $child ) {
	pcntl_waitpid( $child, $status );
	if ( ! pcntl_wifsignaled( $status ) ) {
		WP_CLI::error( 'FAILED: every worker came to its end' );
	}
	$in_use += SIGKILL === pcntl_wtermsig( $status ) ? 1 : 0;
}
// On a busy machine an answer takes longer than the cache is given now and then: that worker goes on without, and what it wrote must hold too.
if ( $children && 2 * $in_use < count( $children ) ) {
	WP_CLI::error( "FAILED: most workers had the cache to their end, not $in_use of " . count( $children ) );
}
if ( $children ) {
	$GLOBALS['wpdb']->db_connect();
	$changes = array_sum( file( '/tmp/proof_changes' ) );
	unlink( '/tmp/proof_changes' );
	WP_CLI::log( sprintf( 'proved: %d workers changed options %d times in %d s, %d of them with the cache to the end', count( $children ), $changes, $seconds, $in_use ) );
	return;
}
for ( $attempt = 0; $attempt < 5; $attempt++ ) {
	proof_request();
	get_option( 'home' );
	if ( $GLOBALS['wp_object_cache']->status()['usable'] ) {
		break;
	}
	sleep( 4 ); // a slow moment made it pause
}
if ( 5 === $attempt ) {
	WP_CLI::error( 'FAILED: the cache is in use when it is compared: ' . $GLOBALS['wp_object_cache']->status()['last_error'] );
}
$names = array_map( fn( $number ) => "proof_option_$number", range( 1, PROOF_OPTIONS ) );
$found = array();
foreach ( $names as $name ) {
	$row = $GLOBALS['wpdb']->get_row( $GLOBALS['wpdb']->prepare( 'SELECT option_value FROM ' . $GLOBALS['wpdb']->options . ' WHERE option_name = %s', $name ) );
	$got = get_option( $name, 'absent' );
	if ( (string) $got !== (string) ( $row->option_value ?? 'absent' ) ) {
		WP_CLI::error( "FAILED: $name is " . ( $row->option_value ?? 'absent' ) . " in the database, $got in the cache" );
	}
	$found[] = $got;
}
WP_CLI::log( 'proved: ' . count( array_unique( $found ) ) . ' different values of ' . count( $found ) . ' options are the same in cache and database (P10)' );
