<?php
/**
 * Events that tell who ran them (P26). It has two uses:
 *
 * - wp --require=prove_cron.php eval-file cron.php: the runner, for which the proof's events note the node and take a moment;
 * - wp eval-file prove_cron.php <step> [<argument>...]: prepares the proof and says what became of it.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

if ( ! function_exists( 'add_action' ) ) {
	WP_CLI::add_hook(
		'after_wp_load',
		function () {
			$event = function ( $number, $seconds ) {
				global $wpdb;
				$wpdb->insert( 'wordpress_ha_proof', array( 'event' => $number, 'node' => gethostname(), 'process' => getmypid() ) );
				usleep( (int) ( 1000000 * $seconds ) );
			};
			add_action( 'wordpress_ha_proof_event', $event, 10, 2 );
		}
	);
	return;
}

$wordpress_ha_steps = array(
	// <number of events> <seconds that each takes>
	'schedule' => function ( $number, $seconds ) {
		global $wpdb;
		$wpdb->query( 'DROP TABLE IF EXISTS wordpress_ha_proof' );
		$wpdb->query( 'CREATE TABLE wordpress_ha_proof (event INT, node VARCHAR(64), process INT, at TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP(3))' );
		wp_unschedule_hook( 'wordpress_ha_proof_event' );
		$crons = _get_cron_array();
		foreach ( range( 1, (int) $number ) as $one ) {
			$arguments = array( $one, (float) $seconds );
			$crons[ time() - 60 ]['wordpress_ha_proof_event'][ md5( serialize( $arguments ) ) ] = array( 'schedule' => false, 'args' => $arguments );
		}
		ksort( $crons );
		_set_cron_array( $crons );
	},
	// How many are still in the list, read past every cache.
	'waiting'  => function () {
		global $wpdb;
		echo substr_count( $wpdb->get_var( "SELECT option_value FROM {$wpdb->options} WHERE option_name = 'cron'" ), 's:4:"args";a:2:{i:0;i:' );
	},
	// Events, nodes and processes that ran them, how many were run more than once, and the seconds between the first's begin and the last's.
	'report'   => function () {
		global $wpdb;
		$row = $wpdb->get_row( 'SELECT COUNT(DISTINCT event) events, COUNT(DISTINCT node) nodes, COUNT(DISTINCT node, process) processes, COUNT(*) - COUNT(DISTINCT event) twice, TIMESTAMPDIFF(SECOND, MIN(at), MAX(at)) seconds FROM wordpress_ha_proof' );
		echo wp_json_encode( $row, JSON_NUMERIC_CHECK );
	},
	// Who ran the latest event, and how long ago it began.
	'latest'   => function () {
		global $wpdb;
		$row = $wpdb->get_row( 'SELECT event, node, process, TIMESTAMPDIFF(MICROSECOND, at, NOW(3)) / 1000000 seconds FROM wordpress_ha_proof ORDER BY at DESC LIMIT 1' );
		echo wp_json_encode( $row, JSON_NUMERIC_CHECK );
	},
	// A request that has read the list before a runner took an event from it, and another added one, schedules a third.
	'stale'    => function () {
		global $wpdb;
		wp_schedule_single_event( 1000000000, 'wordpress_ha_proof_event', array( 'taken', 0 ) );
		$list = get_option( 'cron' );
		$now  = $list;
		unset( $now[1000000000] );
		$now[2000000000]['wordpress_ha_proof_event']['0'] = array( 'schedule' => false, 'args' => array( 'added', 0 ) );
		$wpdb->update( $wpdb->options, array( 'option_value' => serialize( $now ) ), array( 'option_name' => 'cron' ) );
		wp_schedule_single_event( 2000000060, 'wordpress_ha_proof_event', array( 'third', 0 ) );
		$stored = $wpdb->get_var( "SELECT option_value FROM {$wpdb->options} WHERE option_name = 'cron'" );
		$found  = array_filter( array( 'taken', 'added', 'third' ), fn( $name ) => false !== strpos( $stored, '"' . $name . '"' ) );
		wp_cache_flush();
		wp_unschedule_hook( 'wordpress_ha_proof_event' );
		echo implode( ' ', $found );
	},
	'clean'    => function () {
		global $wpdb;
		$wpdb->query( 'DROP TABLE IF EXISTS wordpress_ha_proof' );
		wp_unschedule_hook( 'wordpress_ha_proof_event' );
	},
);
$wordpress_ha_steps[ array_shift( $args ) ]( ...$args );
