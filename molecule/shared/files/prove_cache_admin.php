<?php
/**
 * What wp-admin's list of posts counts is kept, and never older than the posts: wp eval-file prove_cache_admin.php
 *
 * After each kind of change the counts by status and the months of wordpress-ha-admin.php are compared with the database's, by two
 * requests: the first may ask the database, the second must not. Works on a post type of its own, and under its own names in the cache.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

const PROOF_TYPE = 'proof_admin';

function claim( string $what, $expected, $got ): void {
	global $claims;
	if ( $expected != $got ) {
		WP_CLI::error( "FAILED: $what: expected " . var_export( $expected, true ) . ', got ' . var_export( $got, true ) );
	}
	++$claims;
}

/** End this request as WordPress does, and begin another. */
function request(): void {
	global $wp_object_cache, $wp_filter, $site_cache;
	foreach ( $wp_filter['load-edit.php']->callbacks[ PHP_INT_MAX ] as $callback ) {
		$callback['function'][0]->tell();
	}
	if ( $wp_object_cache !== $site_cache ) {
		$wp_object_cache->close();
	}
	$wp_object_cache = new WP_Object_Cache( array( 'prefix' => PROOF_PREFIX, 'timeout' => 2 ) + WORDPRESS_HA_CACHE );
	wp_cache_add_global_groups( array( 'users', 'userlogins', 'useremail', 'userslugs', 'user_meta' ) );
	wp_cache_add_non_persistent_groups( array( 'counts' ) );
	get_userdata( get_current_user_id() );
	wp_load_alloptions();
}

/** What the list shows, and how many questions that took. */
function shown(): array {
	global $wpdb;
	$GLOBALS['typenow'] = PROOF_TYPE;
	$before             = $wpdb->num_queries;
	do_action( 'load-edit.php' );
	$counts = array( wp_count_posts( PROOF_TYPE ), wp_count_posts( PROOF_TYPE, 'readable' ) );
	$counts = array_map( fn ( $count ) => array_filter( array_map( 'intval', (array) $count ) ), $counts );
	$months = array( apply_filters( 'pre_months_dropdown_query', false, PROOF_TYPE ) );
	$_GET   = array( 'post_status' => 'trash' );
	array_push( $months, apply_filters( 'pre_months_dropdown_query', false, PROOF_TYPE ) );
	$_GET   = array();
	$months = array_map( fn ( $rows ) => array_map( fn ( $row ) => "$row->year-$row->month", $rows ), $months );
	return array( array( $counts, $months ), $wpdb->num_queries - $before );
}

/** The same, as the database has it. */
function stored(): array {
	global $wpdb;
	$rows   = "SELECT post_status, post_author, post_date FROM $wpdb->posts WHERE post_type = %s ORDER BY post_date DESC";
	$all    = $wpdb->get_results( $wpdb->prepare( $rows, PROOF_TYPE ) );
	$reader = current_user_can( 'read_private_posts' ) ? null : get_current_user_id();
	$mine   = array_filter( $all, fn ( $row ) => 'private' !== $row->post_status || null === $reader || (int) $row->post_author === $reader );
	$count  = fn ( $rows ) => array_count_values( array_column( $rows, 'post_status' ) );
	$month  = fn ( $row ) => (int) substr( $row->post_date, 0, 4 ) . '-' . (int) substr( $row->post_date, 5, 2 );
	$months = fn ( $rows ) => array_values( array_unique( array_map( $month, $rows ) ) );
	$bin    = array_filter( $all, fn ( $row ) => 'trash' === $row->post_status );
	$list   = array_filter( $all, fn ( $row ) => ! in_array( $row->post_status, array( 'trash', 'auto-draft' ), true ) );
	return array( array( $count( $all ), $count( $mine ) ), array( $months( $list ), $months( $bin ) ) );
}

function compare( string $when ): void {
	global $users;
	foreach ( $users as $user ) {
		wp_set_current_user( $user );
		request();
		claim( "$when, the first request of user $user sees the database", stored(), shown()[0] );
		request();
		list( $seen, $questions ) = shown();
		claim( "$when, the second one as well", stored(), $seen );
		claim( "$when, without a question to the database", 0, $questions );
	}
}

global $site_cache, $wp_object_cache, $claims, $users, $wpdb;
$site_cache = $wp_object_cache;
$claims     = 0;
define( 'PROOF_PREFIX', 'admin' . bin2hex( random_bytes( 4 ) ) );
register_post_type( PROOF_TYPE, array( 'public' => true ) );
$users = array( (int) get_users( array( 'role' => 'administrator', 'number' => 1, 'fields' => 'ID' ) )[0] );
foreach ( array( 'proof_one', 'proof_two' ) as $name ) {
	$users[] = wp_insert_user( array( 'user_login' => $name . PROOF_PREFIX, 'user_pass' => wp_generate_password(), 'role' => 'author' ) );
}
compare( 'without posts' );
$posts = array();
foreach ( array( '2021-03-04', '2021-03-09', '2022-12-31', '2023-01-01' ) as $number => $day ) {
	$fields  = array( 'post_type' => PROOF_TYPE, 'post_title' => $day, 'post_date' => "$day 12:00:00", 'post_author' => $users[1] );
	$posts[] = wp_insert_post( $fields + array( 'post_status' => $number ? 'publish' : 'draft' ) );
	compare( "after post $number" );
}
$changes = array(
	'published'                       => fn () => wp_publish_post( $posts[0] ),
	'made private'                    => fn () => wp_update_post( array( 'ID' => $posts[1], 'post_status' => 'private' ) ),
	'given to another author'         => fn () => wp_update_post( array( 'ID' => $posts[1], 'post_author' => $users[2] ) ),
	'put into the bin'                => fn () => wp_trash_post( $posts[2] ),
	'taken out of it'                 => fn () => wp_untrash_post( $posts[2] ),
	'deleted'                         => fn () => wp_delete_post( $posts[3], true ),
	'changed by SQL'                  => fn () => $wpdb->update( $wpdb->posts, array( 'post_status' => 'pending' ), array( 'ID' => $posts[2] ) ),
	'moved in time by SQL'            => fn () => $wpdb->query( "UPDATE $wpdb->posts SET post_date = '2019-05-05' WHERE ID = $posts[2]" ),
	'deleted by SQL'                  => fn () => $wpdb->delete( $wpdb->posts, array( 'ID' => $posts[0] ) ),
	'changed while nothing is cached' => function () use ( $posts ) {
		wp_cache_flush();
		wp_update_post( array( 'ID' => $posts[2], 'post_status' => 'publish' ) );
	},
);
foreach ( $changes as $what => $change ) {
	request();
	shown();
	$change();
	compare( "when one was $what" );
}
require_once ABSPATH . 'wp-admin/includes/user.php';
foreach ( $posts as $post ) {
	wp_delete_post( $post, true );
}
array_map( 'wp_delete_user', array_slice( $users, 1 ) );
wp_cache_flush();
$wp_object_cache = $site_cache;
array_map( 'clean_user_cache', array_slice( $users, 1 ) );
wp_cache_set_users_last_changed();
wp_cache_set_posts_last_changed();
WP_CLI::log( "proved: counts and months of wp-admin's lists are kept and are the database's after each kind of change, $claims claims" );
