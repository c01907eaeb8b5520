<?php
/**
 * What WordPress expects of any object cache, claim by claim: wp eval-file prove_object_cache_core.php
 *
 * The claims are those that WordPress's own tests of wp_cache_*() make, written anew, on a single site and on a network. Each is
 * made of a request that sends everything at once, and of one whose writes wait for company; then of the next request.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

function claim( string $what, $expected, $got ): void {
	global $claims, $mode;
	if ( $expected !== $got ) {
		WP_CLI::error( "FAILED: $what ($mode): expected " . var_export( $expected, true ) . ', got ' . var_export( $got, true ) );
	}
	++$claims;
}

/** A request of its own, as WordPress begins one. */
function request( bool $defers ): WP_Object_Cache {
	if ( $GLOBALS['wp_object_cache'] !== $GLOBALS['site_cache'] ) {
		$GLOBALS['wp_object_cache']->close();
	}
	$GLOBALS['wp_object_cache'] = new WP_Object_Cache( array( 'prefix' => PROOF_PREFIX, 'defers' => $defers, 'timeout' => 2 ) + WORDPRESS_HA_CACHE );
	wp_cache_add_global_groups( array( 'global-cache-test', 'users', 'sites' ) );
	wp_cache_add_non_persistent_groups( array( 'counts' ) );
	return $GLOBALS['wp_object_cache'];
}

/** Doing it wrong is a notice, and no key. */
function invalid_keys(): void {
	$GLOBALS['wrongs'] = 0;
	add_filter( 'doing_it_wrong_trigger_error', '__return_false' );
	add_action( 'doing_it_wrong_run', function () {
		++$GLOBALS['wrongs'];
	} );
	foreach ( array( null, false, '', '  ', 1.5, array() ) as $key ) {
		claim( 'add refuses a key that is none', false, wp_cache_add( $key, 1 ) );
		claim( 'set refuses a key that is none', false, wp_cache_set( $key, 1 ) );
		claim( 'get refuses a key that is none', false, wp_cache_get( $key ) );
		claim( 'replace refuses a key that is none', false, wp_cache_replace( $key, 1 ) );
		claim( 'delete refuses a key that is none', false, wp_cache_delete( $key ) );
		claim( 'incr refuses a key that is none', false, wp_cache_incr( $key ) );
	}
	claim( 'each is said to be wrong', 36, $GLOBALS['wrongs'] );
	remove_all_actions( 'doing_it_wrong_run' );
	foreach ( array( 0, 1, '0', 'a', ' a ' ) as $key ) {
		claim( 'whole numbers and words are keys', true, wp_cache_set( $key, 'v' ) );
		claim( 'and are found', 'v', wp_cache_get( $key ) );
	}
}

function values( bool $defers ): void {
	foreach ( array( 'default', 'posts', 'site-transient', 'anything at all' ) as $group ) {
		foreach ( array( 0, null, false, true, '', '0', 'x', 3.25, -4, array(), array( 1 => array( 'a' ) ) ) as $number => $value ) {
			$key = "value$number";
			claim( "nothing is there in $group", false, wp_cache_get( $key, $group, false, $found ) );
			claim( 'and that is said', false, $found );
			claim( "add in $group", true, wp_cache_add( $key, $value, $group ) );
			claim( 'a value keeps its type', $value, wp_cache_get( $key, $group, false, $found ) );
			claim( 'and is found, even if it is false', true, $found );
			claim( 'a second add is refused', false, wp_cache_add( $key, 'other', $group ) );
			claim( 'and changes nothing', $value, wp_cache_get( $key, $group ) );
		}
	}
	request( $defers );
	foreach ( array( 0, null, false, true, '', '0', 'x', 3.25, -4, array(), array( 1 => array( 'a' ) ) ) as $number => $value ) {
		claim( 'the next request has it with its type', $value, wp_cache_get( "value$number", 'posts', false, $found ) );
		claim( 'and finds it', true, $found );
	}
	claim( 'groups do not mix', false, wp_cache_get( 'value6', 'elsewhere' ) );
	claim( 'no group is the default one', 'x', wp_cache_get( 'value6' ) );
}

function changes( bool $defers ): void {
	foreach ( array( 'plain', 'terms' ) as $group ) {
		claim( 'replace of nothing is refused', false, wp_cache_replace( 'r', 1, $group ) );
		claim( 'and leaves nothing', false, wp_cache_get( 'r', $group ) );
		claim( 'set', true, wp_cache_set( 'r', 'one', $group ) );
		claim( 'set again', true, wp_cache_set( 'r', 'two', $group ) );
		claim( 'replace', true, wp_cache_replace( 'r', 'three', $group ) );
		claim( 'get', 'three', wp_cache_get( 'r', $group ) );
		request( $defers );
		claim( 'the last one is there for the next request', 'three', wp_cache_get( 'r', $group ) );
		claim( 'replace what another request stored', true, wp_cache_replace( 'r', 'four', $group ) );
		request( $defers );
		claim( 'and it is replaced', 'four', wp_cache_get( 'r', $group ) );
		claim( 'delete', true, wp_cache_delete( 'r', $group ) );
		claim( 'it is gone', false, wp_cache_get( 'r', $group ) );
		claim( 'deleting nothing is refused', false, wp_cache_delete( 'r', $group ) );
		claim( 'what was deleted can be added', true, wp_cache_add( 'r', 'five', $group ) );
		request( $defers );
		claim( 'and is there', 'five', wp_cache_get( 'r', $group ) );
		claim( 'delete without asking', true, wp_cache_delete( 'r', $group ) );
		request( $defers );
		claim( 'it is gone for the next request', false, wp_cache_get( 'r', $group ) );
	}
	wp_suspend_cache_addition( true );
	claim( 'no addition while additions are suspended', false, wp_cache_add( 'suspended', 1 ) );
	claim( 'but a set', true, wp_cache_set( 'suspended', 1 ) );
	wp_suspend_cache_addition( false );
}

function objects( bool $defers ): void {
	foreach ( array( 'plain', 'posts' ) as $group ) {
		$object      = new stdClass();
		$object->foo = 'alpha';
		wp_cache_set( 'object', $object, $group );
		$object->foo = 'bravo';
		$got         = wp_cache_get( 'object', $group );
		claim( 'a change after the set does not reach the cache', 'alpha', $got->foo );
		$got->foo = 'charlie';
		claim( 'nor does a change of what was got', 'alpha', wp_cache_get( 'object', $group )->foo );
		wp_cache_add( 'added', $object, $group );
		$object->foo = 'delta';
		claim( 'nor one after an add', 'bravo', wp_cache_get( 'added', $group )->foo );
		request( $defers );
		claim( 'the next request has an object', 'alpha', wp_cache_get( 'object', $group )->foo );
		claim( 'of the class', 'stdClass', get_class( wp_cache_get( 'object', $group ) ) );
	}
}

function counting( bool $defers ): void {
	foreach ( array( 'plain', 'comment' ) as $group ) {
		claim( 'incr of nothing', false, wp_cache_incr( 'n', 1, $group ) );
		claim( 'decr of nothing', false, wp_cache_decr( 'n', 1, $group ) );
		wp_cache_set( 'n', 0, $group );
		claim( 'incr', 1, wp_cache_incr( 'n', 1, $group ) );
		claim( 'incr by two', 3, wp_cache_incr( 'n', 2, $group ) );
		claim( 'get', 3, wp_cache_get( 'n', $group ) );
		claim( 'decr', 2, wp_cache_decr( 'n', 1, $group ) );
		request( $defers );
		claim( 'the next request counts on', 4, wp_cache_incr( 'n', 2, $group ) );
		claim( 'never below zero', 0, wp_cache_decr( 'n', 100, $group ) );
		claim( 'and stays there', 0, wp_cache_get( 'n', $group ) );
		wp_cache_set( 'n', 'word', $group );
		claim( 'a word counts as zero', 1, wp_cache_incr( 'n', 1, $group ) );
		wp_cache_set( 'n', '7', $group );
		claim( 'a number in a word counts', 8, wp_cache_incr( 'n', 1, $group ) );
		request( $defers );
		claim( 'as the next request sees', 8, (int) wp_cache_get( 'n', $group ) );
	}
}

function many( bool $defers ): void {
	foreach ( array( 'plain', 'users' ) as $group ) {
		claim( 'set_multiple', array( 'a' => true, 2 => true ), wp_cache_set_multiple( array( 'a' => 'x', 2 => 'y' ), $group ) );
		claim( 'add_multiple adds what is new', array( 'a' => false, 'b' => true ), wp_cache_add_multiple( array( 'a' => 1, 'b' => 'z' ), $group ) );
		claim( 'get_multiple in the order of the question', array( 2 => 'y', 'no' => false, 'b' => 'z', 'a' => 'x' ), wp_cache_get_multiple( array( 2, 'no', 'b', 'a' ), $group ) );
		request( $defers );
		claim( 'get_multiple of what another request stored', array( 'a' => 'x', 'no' => false, 2 => 'y' ), wp_cache_get_multiple( array( 'a', 'no', 2 ), $group ) );
		claim( 'get_multiple, anew', array( 'a' => 'x', 'no' => false ), wp_cache_get_multiple( array( 'a', 'no' ), $group, true ) );
		claim( 'get_multiple of nothing', array(), wp_cache_get_multiple( array(), $group ) );
		claim( 'delete_multiple', array( 'a' => true, 'no' => false ), wp_cache_delete_multiple( array( 'a', 'no' ), $group ) );
		claim( 'what remains', array( 'a' => false, 'b' => 'z' ), wp_cache_get_multiple( array( 'a', 'b' ), $group ) );
	}
}

function flushes( bool $defers ): void {
	wp_cache_set( 'k', 'one', 'group-1' );
	wp_cache_set( 'k', 'two', 'group-2' );
	wp_cache_set( 'k', 'three', 'posts' );
	claim( 'flush_group', true, wp_cache_flush_group( 'group-1' ) );
	claim( 'empties that group', false, wp_cache_get( 'k', 'group-1' ) );
	claim( 'no other', 'two', wp_cache_get( 'k', 'group-2' ) );
	request( $defers );
	claim( 'for the next request as well', array( false, 'two', 'three' ), array( wp_cache_get( 'k', 'group-1' ), wp_cache_get( 'k', 'group-2' ), wp_cache_get( 'k', 'posts' ) ) );
	wp_cache_set( 'k', 'again', 'group-1' );
	claim( 'flush_runtime', true, wp_cache_flush_runtime() );
	claim( 'leaves what is shared', array( 'again', 'two' ), array( wp_cache_get( 'k', 'group-1' ), wp_cache_get( 'k', 'group-2' ) ) );
	wp_cache_set( 'k', 1, 'counts' );
	claim( 'flush', true, wp_cache_flush() );
	claim( 'empties all', array( false, false, false, false ), array( wp_cache_get( 'k', 'group-1' ), wp_cache_get( 'k', 'group-2' ), wp_cache_get( 'k', 'posts' ), wp_cache_get( 'k', 'counts' ) ) );
	request( $defers );
	claim( 'for the next request as well', array( false, false ), array( wp_cache_get( 'k', 'group-2' ), wp_cache_get( 'k', 'posts' ) ) );
	wp_cache_set( 'k', 1, 'counts' );
	claim( 'a group that is not shared lasts a request', 1, wp_cache_get( 'k', 'counts' ) );
	request( $defers );
	claim( 'and no longer', false, wp_cache_get( 'k', 'counts' ) );
	foreach ( array( 'add_multiple', 'set_multiple', 'get_multiple', 'delete_multiple', 'flush_runtime', 'flush_group' ) as $feature ) {
		claim( "supports $feature", true, wp_cache_supports( $feature ) );
	}
	claim( 'does not claim what it does not know', false, wp_cache_supports( 'time_travel' ) );
}

function sites( bool $defers ): void {
	$here  = get_current_blog_id();
	$there = $here + 998;
	claim( 'on this site', true, wp_cache_set( 'k', 'here', 'posts' ) );
	wp_cache_set( 'k', 'everywhere', 'global-cache-test' );
	wp_cache_switch_to_blog( $there );
	if ( is_multisite() ) {
		claim( 'another site has its own', false, wp_cache_get( 'k', 'posts' ) );
		wp_cache_set( 'k', 'there', 'posts' );
		wp_cache_set( 'list', 'there', 'options' );
		claim( 'and keeps it', 'there', wp_cache_get( 'k', 'posts' ) );
		claim( 'get_multiple as well', array( 'k' => 'there' ), wp_cache_get_multiple( array( 'k' ), 'posts' ) );
	} else {
		claim( 'a single site has no other', 'here', wp_cache_get( 'k', 'posts' ) );
	}
	claim( 'a global group is the same', 'everywhere', wp_cache_get( 'k', 'global-cache-test' ) );
	wp_cache_set( 'k', 'changed', 'global-cache-test' );
	wp_cache_switch_to_blog( $here );
	claim( 'back on this site', 'here', wp_cache_get( 'k', 'posts' ) );
	claim( 'the global one was changed', 'changed', wp_cache_get( 'k', 'global-cache-test' ) );
	request( $defers );
	claim( 'the next request is on this site', 'here', wp_cache_get( 'k', 'posts' ) );
	wp_cache_switch_to_blog( $there );
	claim( 'and finds the other one', is_multisite() ? 'there' : 'here', wp_cache_get( 'k', 'posts' ) );
	wp_cache_delete( 'k', 'posts' );
	wp_cache_switch_to_blog( $here );
	claim( 'deleting there leaves it here', is_multisite() ? 'here' : false, wp_cache_get( 'k', 'posts' ) );
}

function expiry( bool $defers ): void {
	wp_cache_set( 'short', 1, 'plain', 1 );
	wp_cache_add( 'short', 1, 'posts', 1 );
	request( $defers );
	usleep( 2100000 );
	claim( 'a value expires', array( false, false ), array( wp_cache_get( 'short', 'plain' ), wp_cache_get( 'short', 'posts' ) ) );
}

global $site_cache, $wp_object_cache, $claims, $mode; // WP-CLI includes this in a function
$site_cache = $wp_object_cache;
$claims     = 0;
define( 'PROOF_PREFIX', 'core' . bin2hex( random_bytes( 4 ) ) );
foreach ( array( false, true ) as $defers ) {
	$mode = ( is_multisite() ? 'network' : 'single site' ) . ', ' . ( $defers ? 'writes wait' : 'writes at once' );
	foreach ( array( 'invalid_keys', 'values', 'changes', 'objects', 'counting', 'many', 'flushes', 'sites', 'expiry' ) as $part ) {
		request( $defers );
		$part( $defers );
		claim( 'the cache was in use', true, $wp_object_cache->status()['usable'] );
		wp_cache_flush();
	}
	WP_CLI::log( "proved: what WordPress expects of an object cache holds, $claims claims so far ($mode)" );
}
$wp_object_cache = $site_cache;
