<?php
/**
 * Requests that miss the same value at the same time: wp eval-file prove_cache_company.php
 *
 * None takes away from the others what they stored, or an empty cache would stay empty for as long as visitors keep coming.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

const PROOF_CLIENTS = 8;

function claim( string $what, $expected, $got ): void {
	if ( $expected !== $got ) {
		WP_CLI::error( "FAILED: $what: " . wp_json_encode( $got ) . ' instead of ' . wp_json_encode( $expected ) );
	}
	WP_CLI::log( "proved: $what" );
}

// The prefix is this proof's own: nobody else reads what is stored here.
define( 'PROOF_CACHE', array( 'prefix' => 'proof' . bin2hex( random_bytes( 4 ) ), 'defers' => true, 'timeout' => 5, 'url' => '' ) + WORDPRESS_HA_CACHE );

function request(): WP_Object_Cache {
	return new WP_Object_Cache( PROOF_CACHE );
}

/** A request of its own, to its end. */
function before( string $what, ...$arguments ): void {
	$request = request();
	$request->$what( ...$arguments );
	$request->close();
}

function what_others_see( string $id, string $group ) {
	return request()->get( $id, $group );
}

/** Two requests find a value missing and store one each; the second may have changed something before. Return what stands there then. */
function store_both( string $id, string $group, string $first, string $second, bool $writes ) {
	$one = request();
	$two = request();
	if ( false !== $one->get( $id, $group ) || false !== $two->get( $id, $group ) ) {
		WP_CLI::error( "FAILED: $id of $group is missing at first" );
	}
	if ( $writes ) {
		$two->before_query( 'UPDATE wp_postmeta SET meta_value = 1 WHERE post_id = 7' );
	}
	$one->set( $id, $first, $group );
	$two->set( $id, $second, $group );
	$one->close();
	$two->close();
	return what_others_see( $id, $group );
}

for ( $round = 0; $round < 2; $round++ ) {
	if ( 1 === $round ) {
		// A tombstone is what they find this time.
		foreach ( array( 'read1', 'same1', 'wrote1' ) as $id ) {
			before( 'delete', $id, 'posts' );
		}
	}
	claim( 'two requests that only read: the first one\'s value stays', 'first', store_both( "read$round", 'posts', 'first', 'second', false ) );
	claim( 'the same value by one that wrote stays', 'same', store_both( "same$round", 'posts', 'same', 'same', true ) );
	claim( 'another value by one that wrote: neither is believed', false, store_both( "wrote$round", 'posts', 'first', 'second', true ) );
	$rows = 0 === $round ? 'posts' : 'terms';
	claim( "the time of the last change of $rows stays", 'first', store_both( 'last_changed', $rows, 'first', 'second', false ) );
	before( 'delete', 'last_changed', $rows );
	$time = store_both( 'last_changed', $rows, 'first', 'second', true );
	claim( "a change of $rows: its time is there, and is a new one", true, is_string( $time ) && ! in_array( $time, array( 'first', 'second' ), true ) );
}
foreach ( array( 'SELECT 1', '  (SELECT 1) UNION (SELECT 2)', 'SHOW TABLES', 'set names utf8mb4' ) as $number => $statement ) {
	$reader = request();
	$reader->get( "statement$number", 'posts' );
	before( 'set', "statement$number", 'theirs', 'posts' );
	$reader->before_query( $statement );
	$reader->set( "statement$number", 'ours', 'posts' );
	$reader->close();
	claim( "$statement: changes nothing", 'theirs', what_others_see( "statement$number", 'posts' ) );
}

// Options that do not exist: two requests learn of one each.
before( 'set', 'notoptions', array( 'a' => true ), 'options' );
foreach ( array( array( false, array( 'a' => true, 'b' => true ) ), array( true, false ) ) as list( $writes, $expected ) ) {
	$one = request();
	$two = request();
	$was = $one->get( 'notoptions', 'options' );
	$two->get( 'notoptions', 'options' );
	if ( $writes ) {
		$two->before_query( 'UPDATE wp_postmeta SET meta_value = 1 WHERE post_id = 7' );
	}
	$one->set( 'notoptions', $was + array( $writes ? 'd' : 'b' => true ), 'options' );
	$two->set( 'notoptions', $was + array( 'c' => true ), 'options' );
	$one->close();
	$two->close();
	claim( $writes ? 'a list of absent options that two know otherwise, one of whom wrote, is given up' : 'and is the first one\'s if both only read', $expected, what_others_see( 'notoptions', 'options' ) );
}

/** Ask for the front page by several clients at once; return how many were answered with 200. */
function visit( int $pages ): int {
	$home  = wp_parse_url( home_url( '/' ) );
	$all   = curl_multi_init();
	$asked = 0;
	$good  = 0;
	do {
		while ( $asked < $pages && ( $running ?? 0 ) + ( $waiting ?? 0 ) < PROOF_CLIENTS ) {
			$page = curl_init( 'http://127.0.0.1/' );
			curl_setopt_array( $page, array( CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 60, CURLOPT_HTTPHEADER => array( "Host: {$home['host']}", 'X-Forwarded-Proto: https' ) ) );
			curl_multi_add_handle( $all, $page );
			++$asked;
			$waiting = ( $waiting ?? 0 ) + 1;
		}
		curl_multi_exec( $all, $running );
		$waiting = 0;
		curl_multi_select( $all, 0.1 );
		while ( $done = curl_multi_info_read( $all ) ) {
			$good += 200 === curl_getinfo( $done['handle'], CURLINFO_RESPONSE_CODE ) ? 1 : 0;
			curl_multi_remove_handle( $all, $done['handle'] );
		}
	} while ( $running || $asked < $pages );
	return $good;
}

function connections(): int {
	return (int) $GLOBALS['wpdb']->get_row( "SHOW GLOBAL STATUS LIKE 'Connections'" )->Value;
}

wp_cache_flush();
$before = connections();
claim( sprintf( '%d visitors at once come to an empty cache: all are served', PROOF_CLIENTS ), 80, visit( 80 ) );
$filling = connections() - $before;
$before  = connections();
claim( 'and so are those who follow', 40, visit( 40 ) );
$after = connections() - $before;
if ( $filling >= 70 || $after > 4 ) {
	WP_CLI::error( "FAILED: $filling of 80 pages asked the database, then $after of 40" );
}
WP_CLI::log( "proved: $filling of the 80 asked the database to fill it, then $after of 40" );
