<?php
/**
 * The object cache drop-in against a real Valkey, inside WordPress: wp eval-file prove_object_cache.php
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

function prove( string $claim, bool $holds ): void {
	if ( ! $holds ) {
		WP_CLI::error( "FAILED: $claim" );
	}
	WP_CLI::log( "proved: $claim" );
}

// Two requests at the same time: two caches, one server. The prefix is this proof's own: it flushes.
define( 'PROOF_CACHE', array( 'prefix' => 'proof' . bin2hex( random_bytes( 4 ) ) ) + WORDPRESS_HA_CACHE );
function another(): WP_Object_Cache {
	return new WP_Object_Cache( PROOF_CACHE );
}

$group = 'proof' . bin2hex( random_bytes( 3 ) );
$one   = another();
$two   = another();

$object       = new stdClass();
$object->list = array( 'a' => 1, 'b' => array( null, true, 1.5, 'ü' ) );
foreach ( array( 0, -7, 1.5, '5', '', null, false, true, array(), array( 'x' => array( 1 ) ), $object ) as $number => $value ) {
	$one->set( "value$number", $value, $group );
	$got = $two->get( "value$number", $group, false, $found );
	prove( 'another request reads ' . wp_json_encode( $value ) . ' with its type', $found && ( is_object( $value ) ? $value == $got : $value === $got ) );
}
$got->list = 'changed';
prove( 'objects are copies', 'changed' !== $two->get( 'value10', $group )->list );
prove( 'a missing value is not found', false === $two->get( 'nothing', $group, false, $found ) && ! $found );

prove( 'add stores what is new', another()->add( 'new', 1, $group ) );
prove( 'add refuses what another request stored', ! another()->add( 'new', 2, $group ) && 1 === another()->get( 'new', $group ) );
prove( 'replace refuses what is not there', ! another()->replace( 'absent', 1, $group ) );
prove( 'replace stores what is there', another()->replace( 'new', 3, $group ) && 3 === another()->get( 'new', $group ) );
prove( 'delete removes for all', another()->delete( 'new', $group ) && false === another()->get( 'new', $group ) );
prove( 'deleting twice says so', ! another()->delete( 'new', $group ) );

prove( 'set_multiple', array( 'm1' => true, 7 => true ) === $one->set_multiple( array( 'm1' => 'x', 7 => 'y' ), $group ) );
prove( 'get_multiple keeps keys and order', array( 7 => 'y', 'no' => false, 'm1' => 'x' ) === another()->get_multiple( array( 7, 'no', 'm1' ), $group ) );
prove( 'add_multiple', array( 'm1' => false, 'm2' => true ) === another()->add_multiple( array( 'm1' => 1, 'm2' => 2 ), $group ) );
prove( 'delete_multiple', array( 'm1' => true, 'no' => false ) === another()->delete_multiple( array( 'm1', 'no' ), $group ) );

prove( 'incr of nothing is refused', false === another()->incr( 'counter', 1, $group ) );
$one->set( 'counter', 5, $group );
prove( 'incr counts on the server', 6 === another()->incr( 'counter', 1, $group ) && 8 === another()->incr( 'counter', 2, $group ) );
prove( 'decr stops at zero', 0 === another()->decr( 'counter', 20, $group ) && 0 === another()->get( 'counter', $group ) );
$one->set( 'word', 'abc', $group );
prove( 'incr makes a number of a word', 2 === another()->incr( 'word', 2, $group ) && 2 === another()->get( 'word', $group ) );

$two->get( 'counter', $group );
$one->set( 'counter', 99, $group );
prove( 'a request keeps what it knows', 99 !== $two->get( 'counter', $group ) );
prove( 'force reads anew', 99 === $two->get( 'counter', $group, true ) );

$private = another();
$private->add_non_persistent_groups( array( "$group-private" ) );
$private->set( 'k', 'v', "$group-private" );
prove( 'a non-persistent group stays in its request', 'v' === $private->get( 'k', "$group-private" ) && false === another()->get( 'k', "$group-private" ) );

$one->set( 'kept', 1, 'default' );
$one->set( 'gone', 1, $group );
prove( 'flush_group', another()->flush_group( $group ) && false === another()->get( 'gone', $group ) && 1 === another()->get( 'kept', 'default' ) );
prove( 'flush', another()->flush() && false === another()->get( 'kept', 'default' ) );
prove( 'flush_runtime keeps what is shared', $one->set( 'shared', 1, $group ) && $one->flush_runtime() && false === $one->get( 'absent', $group ) );
$again = another();
$again->set( 'shared', 1, $group );
$again->flush_runtime();
prove( 'and finds it again', 1 === $again->get( 'shared', $group ) );

$away = new WP_Object_Cache( array( 'host' => '192.0.2.1', 'timeout' => 0.25, 'outage_file' => '' ) + PROOF_CACHE );
$start = microtime( true );
foreach ( range( 1, 50 ) as $number ) {
	$away->set( "k$number", $number, $group );
}
$took = microtime( true ) - $start;
prove( sprintf( 'a cache that does not answer costs one time-out, not 50 (%.2f s)', $took ), $took < 0.6 && 7 === $away->get( 'k7', $group ) );
$wrong = new WP_Object_Cache( array( 'ca_file' => '/dev/null', 'outage_file' => '' ) + PROOF_CACHE );
$wrong->set( 'k', 1, $group );
prove( 'a certificate of another authority is refused', ! $wrong->status()['usable'] );
foreach ( array( 'add_multiple', 'set_multiple', 'get_multiple', 'delete_multiple', 'flush_runtime', 'flush_group' ) as $feature ) {
	prove( "wp_cache_supports $feature", wp_cache_supports( $feature ) );
}
