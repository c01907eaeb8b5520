<?php
/**
 * What a network of sites expects of an object cache, by WordPress's own functions: wp eval-file prove_object_cache_network.php prove
 *
 * Sites have the same ids of posts, names of options and slugs of terms: each must find its own, and the database's. Users, sites and
 * the network's options are common to all. Called with `forget` on the site beside it, it drops the network's tables.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

const PROOF_TABLES = 'proof_network_';

function claim( string $what, $expected, $got ): void {
	global $claims;
	if ( $expected !== $got ) {
		WP_CLI::error( "FAILED: on a network, $what: expected " . var_export( $expected, true ) . ', got ' . var_export( $got, true ) );
	}
	++$claims;
}

function drop_tables(): void {
	global $wpdb;
	foreach ( $wpdb->get_col( $wpdb->prepare( 'SHOW TABLES LIKE %s', $wpdb->esc_like( PROOF_TABLES ) . '%' ) ) as $table ) {
		$wpdb->query( "DROP TABLE `$table`" );
	}
}

/** Another request: what this one knew is forgotten, what it shared is read anew, by the groups that WordPress has named. */
function request(): void {
	global $wp_object_cache;
	$old = $wp_object_cache;
	$old->close();
	$groups          = ( fn () => array( array_keys( $this->global_groups ), array_keys( $this->non_persistent_groups ) ) )->call( $old );
	$wp_object_cache = new WP_Object_Cache( array( 'timeout' => 2 ) + WORDPRESS_HA_CACHE );
	wp_cache_add_global_groups( $groups[0] );
	wp_cache_add_non_persistent_groups( $groups[1] );
}

function on( int $site, callable $do ) {
	switch_to_blog( $site );
	try {
		return $do();
	} finally {
		restore_current_blog();
	}
}

/** What a site has under names and ids that every site has. */
function belongings( int $post, string $slug ): array {
	return array(
		'option'  => get_option( 'proof' ),
		'tagline' => get_option( 'blogdescription' ),
		'absent'  => get_option( 'proof_absent', 'none' ),
		'post'    => get_post( $post )->post_title ?? null,
		'meta'    => get_post_meta( $post, 'proof', true ),
		'term'    => get_term_by( 'slug', $slug, 'category' )->name ?? null,
		'found'   => get_posts( array( 'name' => 'proof', 'fields' => 'ids' ) ),
		'passing' => get_transient( 'proof' ),
	);
}

function prove(): void {
	global $wpdb, $wp_object_cache;
	$names = array( 1 => 'one' );
	foreach ( array( 'two', 'three' ) as $name ) {
		$names[ wpmu_create_blog( 'network.invalid', "/$name/", $name, 1 ) ] = $name;
	}
	claim( 'there are three sites', array( 1, 2, 3 ), array_keys( $names ) );
	$expected = array();
	foreach ( $names as $site => $name ) {
		on( $site, function () use ( $site, $name, &$expected ) {
			update_option( 'proof', "option of $name" );
			update_option( 'blogdescription', "tagline of $name" );
			wp_insert_post( array( 'import_id' => 4711, 'post_title' => "post of $name", 'post_name' => 'proof', 'post_status' => 'publish' ) );
			update_post_meta( 4711, 'proof', "meta of $name" );
			wp_insert_term( "term of $name", 'category', array( 'slug' => 'proof' ) );
			set_transient( 'proof', "passing by $name", 600 );
			$expected[ $site ] = array(
				'option'  => "option of $name",
				'tagline' => "tagline of $name",
				'absent'  => 'none',
				'post'    => "post of $name",
				'meta'    => "meta of $name",
				'term'    => "term of $name",
				'found'   => array( 4711 ),
				'passing' => "passing by $name",
			);
		} );
	}
	$see = function ( string $when ) use ( &$expected ) {
		foreach ( $expected as $site => $own ) {
			claim( "site $site has its own $when", $own, on( $site, fn () => belongings( 4711, 'proof' ) ) );
		}
	};
	$see( 'at once' );
	for ( $round = 0; $round < 2; $round++ ) {
		request();
		$see( "in request $round after that" );
	}
	claim( 'the cache was in use', true, $wp_object_cache->status()['usable'] );

	$other = array_search( 'two', $names, true );
	on( $other, function () {
		update_option( 'proof', 'changed' );
		add_option( 'proof_absent', 'is there' );
		wp_update_post( array( 'ID' => 4711, 'post_title' => 'changed', 'post_name' => 'another' ) );
		delete_post_meta( 4711, 'proof' );
		wp_delete_term( get_term_by( 'slug', 'proof', 'category' )->term_id, 'category' );
		delete_transient( 'proof' );
	} );
	$changes            = array( 'option' => 'changed', 'absent' => 'is there', 'post' => 'changed', 'meta' => '', 'term' => null );
	$expected[ $other ] = array_merge( $expected[ $other ], $changes, array( 'found' => array(), 'passing' => false ) );
	$see( 'after a change of one' );
	request();
	$see( 'in the request after a change of one' );

	update_site_option( 'proof', 'of all' );
	set_site_transient( 'proof', 'passing by all', 600 );
	wp_update_user( array( 'ID' => 1, 'display_name' => 'Common' ) );
	update_blog_details( $other, array( 'public' => 0 ) );
	request();
	foreach ( array_keys( $names ) as $site ) {
		$common = on( $site, fn () => array( get_site_option( 'proof' ), get_site_transient( 'proof' ), get_userdata( 1 )->display_name ) );
		claim( "site $site sees what is common to all", array( 'of all', 'passing by all', 'Common' ), $common );
		claim( "site $site sees that one is not public", 0, on( $site, fn () => (int) get_site( $other )->public ) );
	}
	on( $other, fn () => update_site_option( 'proof', 'changed by one' ) );
	request();
	claim( 'an option of the network that one site changed is changed', 'changed by one', get_site_option( 'proof' ) );

	wp_cache_flush_group( 'posts' );
	request();
	$see( 'after a flush of a group' );
	wp_delete_site( $other );
	request();
	claim( 'a site that was deleted is gone', null, get_site( $other ) );
	unset( $expected[ $other ] );
	$see( 'after another was deleted' );
	foreach ( array_keys( $expected ) as $site ) {
		$table = $wpdb->get_blog_prefix( $site ) . 'options';
		$rows  = $wpdb->get_results( "SELECT option_name, option_value FROM $table WHERE option_name NOT LIKE '%transient%'" );
		$differs = fn ( $row ) => ! has_filter( "option_$row->option_name" ) && maybe_unserialize( $row->option_value ) != get_option( $row->option_name );
		$wrong   = on( $site, fn () => array_filter( $rows, $differs ) );
		claim( "site $site has every option as the database has it", array(), array_column( $wrong, 'option_name' ) );
	}
	wp_cache_flush();
	WP_CLI::log( "proved: sites of a network keep apart what is theirs and share what is common, $GLOBALS[claims] claims" );
}

global $claims;
$claims = 0;
'forget' === ( $args[0] ?? '' ) ? drop_tables() : prove();
