<?php
/**
 * Plugin Name: WordPress HA cron
 * Description: Keeps a page that schedules an event from bringing back events which another node has run meanwhile.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * WordPress keeps all events in one option. A request reads it when it begins, and writes it back whole when it schedules something, a
 * second later perhaps: what the runner took from the list in between would be due again, and what others added would be gone (P26).
 * Here only what this request changed is applied, to the list as the database has it at that moment.
 *
 * @package wordpress_ha
 */

defined( 'ABSPATH' ) || exit;

add_filter( 'pre_update_option_cron', 'wordpress_ha_merge_events', PHP_INT_MAX, 2 );

/**
 * Return what is written instead of this request's list.
 *
 * @param mixed $wanted  The list that this request would write.
 * @param mixed $assumed The list as this request has read it.
 */
function wordpress_ha_merge_events( $wanted, $assumed ) {
	global $wpdb;
	$stored = $wpdb->get_var( "SELECT option_value FROM {$wpdb->options} WHERE option_name = 'cron'" );
	$stored = is_string( $stored ) ? maybe_unserialize( $stored ) : null;
	if ( ! is_array( $stored ) || ! is_array( $assumed ) || ! is_array( $wanted ) || $stored === $assumed ) {
		return $wanted;
	}
	$before = wordpress_ha_flat_events( $assumed );
	$after  = wordpress_ha_flat_events( $wanted );
	foreach ( array_diff_key( $before, $after ) as list( $time, $hook, $key ) ) {
		unset( $stored[ $time ][ $hook ][ $key ] );
		if ( empty( $stored[ $time ][ $hook ] ) ) {
			unset( $stored[ $time ][ $hook ] );
		}
		if ( empty( $stored[ $time ] ) ) {
			unset( $stored[ $time ] );
		}
	}
	foreach ( $after as $name => list( $time, $hook, $key, $event ) ) {
		if ( ! isset( $before[ $name ] ) || $before[ $name ][3] !== $event ) {
			$stored[ $time ][ $hook ][ $key ] = $event;
		}
	}
	$version = $wanted['version'] ?? 2;
	unset( $stored['version'] );
	ksort( $stored );
	return $stored + array( 'version' => $version );
}

/** Return events as [time, hook, key, event], by a name of each. */
function wordpress_ha_flat_events( array $list ): array {
	$events = array();
	foreach ( $list as $time => $hooks ) {
		foreach ( is_array( $hooks ) ? $hooks : array() as $hook => $some ) {
			foreach ( is_array( $some ) ? $some : array() as $key => $event ) {
				$events[ "$time $hook $key" ] = array( $time, $hook, $key, $event );
			}
		}
	}
	return $events;
}
