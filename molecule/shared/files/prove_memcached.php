<?php
/**
 * The drop-in on Memcached: two nodes behind a configuration endpoint, over TLS. wp eval-file prove_memcached.php <folder>
 *
 * In the folder: cert.pem and key.pem for the name localhost, by an authority in ca.pem; and configuration_endpoint.py.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

function prove( string $claim, bool $holds ): void {
	if ( ! $holds ) {
		WP_CLI::error( "FAILED: memcached: $claim" );
	}
	WP_CLI::log( "proved: memcached: $claim" );
}

function start( array $words ): void {
	global $processes;
	$processes[] = proc_open( $words, array( array( 'file', '/dev/null', 'r' ), array( 'file', '/dev/null', 'w' ), array( 'file', '/dev/null', 'w' ) ), $pipes );
}

function memcached( string $folder, int $port ): void {
	$tls = "ssl_chain_cert=$folder/cert.pem,ssl_key=$folder/key.pem";
	start( array( 'memcached', '-l', '127.0.0.1', '-p', (string) $port, '-m', '8', '-Z', '-o', $tls ) );
}

/** A request of this machine, or of another one: each machine has its own notes. */
function another( string $machine = 'one' ): WP_Object_Cache {
	global $proof_settings, $notes;
	return new WP_Object_Cache( array( 'outage_file' => "$notes/$machine/outage", 'defers' => false ) + $proof_settings );
}

function keys(): array {
	return array_map( fn( $number ) => "key $number, with blanks", range( 1, 40 ) );
}

global $processes, $proof_settings, $notes;
$folder = $args[0];
$notes  = sys_get_temp_dir() . '/memcached-' . bin2hex( random_bytes( 4 ) );
foreach ( array( 'one', 'two' ) as $machine ) {
	mkdir( "$notes/$machine", 0700, true );
}
$proof_settings = array(
	'engine'  => 'memcached',
	'host'    => 'localhost',
	'port'    => 21210,
	'tls'     => true,
	'ca_file' => "$folder/ca.pem",
	'auth'    => '',
	'timeout' => 2,
	'prefix'  => 'proof',
);
file_put_contents( "$notes/nodes", "localhost:21211\nlocalhost:21212\n" );
memcached( $folder, 21211 );
memcached( $folder, 21212 );
start( array( 'python3', "$folder/configuration_endpoint.py", '21210', "$folder/cert.pem", "$folder/key.pem", "$notes/nodes" ) );
register_shutdown_function( function () {
	foreach ( $GLOBALS['processes'] as $process ) {
		proc_terminate( $process, SIGKILL );
	}
} );
sleep( 2 );

$cache = another();
$cache->set_multiple( array_fill_keys( keys(), 'value' ), 'plain' );
prove( 'is in use over TLS: ' . $cache->status()['last_error'], $cache->status()['usable'] );
$known = json_decode( file_get_contents( "$notes/one/nodes" ), true )['nodes'];
prove( 'its nodes are found behind the configuration endpoint: ' . implode( ' ', $known ), array( 'localhost:21211', 'localhost:21212' ) === $known );
$before = another();
$before->get( 'nothing', 'plain' );
$trips = $before->status()['round_trips'];
prove( 'another machine reads all, whatever their names', array_fill_keys( keys(), 'value' ) === another( 'two' )->get_multiple( keys(), 'plain' ) );
$before->get_multiple( keys(), 'plain' );
prove( '40 values of two nodes are one round trip', 1 === $before->status()['round_trips'] - $trips );
$old = another();
$old->get( 'row', 'posts' );
another( 'two' )->delete( 'row', 'posts' );
$old->add( 'row', 'read before the change', 'posts' );
prove( 'what was read before a change is not stored after it', false === another()->get( 'row', 'posts' ) );
$now = another();
$now->get( 'row', 'posts' );
prove( 'what was read after it is', $now->add( 'row', 'read after it', 'posts' ) && 'read after it' === another( 'two' )->get( 'row', 'posts' ) );
$large = another();
$large->set( 'large', 'small', 'plain' );
$large->set( 'large', str_repeat( 'x', 2000000 ), 'plain' );
prove( 'what is too large leaves no older value', false === another()->get( 'large', 'plain' ) && another()->status()['last_error'] === '' );

// Another node. This machine's list is 10 s old: it keeps away for 20 s, so that no machine has another list, and flushes then.
memcached( $folder, 21213 );
file_put_contents( "$notes/nodes", "localhost:21211\nlocalhost:21212\nlocalhost:21213\n" );
sleep( 1 );
touch( "$notes/one/nodes", time() - 11 );
$cache = another();
$cache->get( 'row', 'posts' );
prove( 'with another list of nodes a machine keeps away: ' . $cache->status()['last_error'], ! $cache->status()['usable'] );
clearstatcache();
prove( 'for 20 s and the usual pause', filemtime( "$notes/one/outage" ) > time() + 15 );
touch( "$notes/one/outage", time() - 4 ); // as if 24 s had passed
$cache = another();
prove( 'and flushes when it comes back', false === $cache->get( 'row', 'posts' ) && $cache->status()['usable'] && ! file_exists( "$notes/one/outage" ) );
$cache->set( 'row', 'new', 'posts' );
prove( 'and uses all three', 3 === count( json_decode( file_get_contents( "$notes/one/nodes" ), true )['nodes'] ) && 'new' === another()->get( 'row', 'posts' ) );

proc_terminate( $processes[0], SIGKILL );
usleep( 200000 );
$cache = another();
$begun = microtime( true );
foreach ( keys() as $key ) {
	$cache->set( $key, 'written without it', 'plain' );
}
prove( 'a node that is gone is an outage, not an error', ! $cache->status()['usable'] && microtime( true ) - $begun < 3 );
memcached( $folder, 21211 );
sleep( 1 );
touch( "$notes/one/outage", time() - 4 );
prove( 'and nothing older is read after it', ! in_array( 'value', another()->get_multiple( keys(), 'plain' ), true ) );
$wrong = new WP_Object_Cache( array( 'ca_file' => '/dev/null', 'outage_file' => '' ) + $proof_settings );
$wrong->set( 'k', 1, 'plain' );
prove( 'a certificate of another authority is refused', ! $wrong->status()['usable'] );
