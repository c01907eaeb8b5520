<?php
/**
 * wp wordpress-ha cache: state, flush and figures of the object cache.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * @package wordpress_ha
 */

/**
 * Looks into the object cache that the nodes share, and empties it.
 */
class WordPress_HA_Cache_Command {

	/**
	 * Says whether this machine reaches the cache. Ends with an error if it does not.
	 *
	 * ## OPTIONS
	 *
	 * [--format=<format>]
	 * : table, json or yaml.
	 * ---
	 * default: table
	 * ---
	 *
	 * ## EXAMPLES
	 *
	 *     wp wordpress-ha cache status
	 */
	public function status( array $arguments, array $options ): void {
		$settings = WORDPRESS_HA_CACHE;
		// WordPress has used it by now, or failed to.
		$status = $GLOBALS['wp_object_cache']->status();
		$note   = $settings['outage_file'] ?? '';
		$facts  = array(
			'engine'       => $settings['engine'],
			'endpoint'     => $settings['host'] . ':' . $settings['port'],
			'tls'          => $settings['tls'] ? 'yes' : 'no',
			'reachable'    => $status['usable'] ? 'yes' : 'no',
			'last_error'   => $status['last_error'],
			'outage_noted' => '' !== $note && file_exists( $note ) ? gmdate( 'c', (int) filemtime( $note ) ) : 'no',
			'generation'   => $status['generation'],
		);
		$this->show( $facts, $options );
		if ( $status['configured'] && ! $status['usable'] ) {
			WP_CLI::error( 'The cache cannot be reached: pages come from the database.' );
		}
	}

	/**
	 * Makes every node forget what is cached, at once, whatever the number of values.
	 *
	 * ## OPTIONS
	 *
	 * [--group=<group>]
	 * : Only this group, on all sites of a network.
	 *
	 * ## EXAMPLES
	 *
	 *     wp wordpress-ha cache flush
	 *     wp wordpress-ha cache flush --group=posts
	 */
	public function flush( array $arguments, array $options ): void {
		$done = isset( $options['group'] ) ? wp_cache_flush_group( $options['group'] ) : wp_cache_flush();
		if ( ! $done ) {
			WP_CLI::error( 'The cache cannot be reached. It is flushed anyway when it is back.' );
		}
		WP_CLI::success( isset( $options['group'] ) ? "Group {$options['group']} is flushed." : 'The cache is flushed.' );
	}

	/**
	 * Adds up what the cache did for this machine's web requests since it booted.
	 *
	 * ## OPTIONS
	 *
	 * [--format=<format>]
	 * : table, json or yaml.
	 * ---
	 * default: table
	 * ---
	 *
	 * ## EXAMPLES
	 *
	 *     wp wordpress-ha cache metrics --format=json
	 */
	public function metrics( array $arguments, array $options ): void {
		$sums  = WordPress_HA_Cache_Outcome::read( dirname( WORDPRESS_HA_CACHE['outage_file'] ?? '' ) . '/outcome' );
		$asked = $sums['hits'] + $sums['misses'];
		$each  = max( 1, $sums['requests'] );
		$this->show(
			$sums + array(
				'hit_ratio'               => $asked ? round( $sums['hits'] / $asked, 4 ) : 0,
				'round_trips_per_request' => round( $sums['round_trips'] / $each, 2 ),
				'ms_per_request'          => round( 1000 * $sums['seconds'] / $each, 3 ),
			),
			$options
		);
	}

	private function show( array $facts, array $options ): void {
		$format = $options['format'] ?? 'table';
		if ( 'table' !== $format ) {
			WP_CLI::print_value( $facts, array( 'format' => $format ) );
			return;
		}
		$rows = array_map( null, array_keys( $facts ), array_values( $facts ) );
		WP_CLI\Utils\format_items( 'table', array_map( fn ( $row ) => array_combine( array( 'what', 'value' ), $row ), $rows ), array( 'what', 'value' ) );
	}
}

WP_CLI::add_command( 'wordpress-ha cache', 'WordPress_HA_Cache_Command' );
