<?php
// Copyright: Contributors to the wordpress_ha.aws project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Put before a page by object_cache_benchmark.py, for this one request: chooses whether the object cache is loaded, lets nothing be
 * written to the database, and ends the page with a comment that says what it took. Without the benchmark's parameter it does nothing.
 */

if ( ! isset( $_SERVER['WORDPRESS_HA_BENCHMARK'] ) ) {
	return;
}

( static function () {
	$wanted = json_decode( $_SERVER['WORDPRESS_HA_BENCHMARK'], true );
	$held   = 0;
	$hook   = static function ( $name, $callback ) {
		// WordPress takes over what stands here before it loads.
		$GLOBALS['wp_filter'][ $name ][ PHP_INT_MAX ][] = array(
			'function'      => $callback,
			'accepted_args' => 1,
		);
	};

	if ( ! $wanted['cache'] ) {
		$hook(
			'enable_loading_object_cache_dropin',
			static function () {
				return false;
			}
		);
	}

	// Pages without the cache write past it, and the fleet's cache would not know: their writes are held back. Transients are let through:
	// without a cache they live in the database, and with one nobody reads them there; what came is taken away at the end.
	$hook(
		'query',
		static function ( $query ) use ( &$held ) {
			if ( preg_match( '/^\s*(?:SELECT|SHOW|DESCRIBE|EXPLAIN|SET|\()|_transient/i', $query ) ) {
				return $query;
			}
			++$held;
			return '';
		}
	);

	if ( $wanted['user'] ) {
		$hook(
			'determine_current_user',
			static function () use ( $wanted ) {
				return $wanted['user'];
			}
		);
		// No session is made for the benchmark, so there is no cookie that this could find.
		function auth_redirect() {} // phpcs:ignore Universal.Files.SeparateFunctionsFromOO
	}

	$began = hrtime( true );
	$spent = getrusage();
	// Registered first, so it runs before what WordPress and the cache do at the end of a request.
	register_shutdown_function(
		static function () use ( $wanted, $began, $spent, &$held ) {
			global $wpdb;
			$now   = getrusage();
			$told  = array(
				'milliseconds' => ( hrtime( true ) - $began ) / 1e6,
				'cpu'          => 0,
				'queries'      => $wpdb->num_queries - $held,
				'held'         => $held,
				'cached'       => (bool) wp_using_ext_object_cache(),
			);
			foreach ( array( 'ru_utime', 'ru_stime' ) as $kind ) {
				$told['cpu'] += ( $now[ "$kind.tv_sec" ] - $spent[ "$kind.tv_sec" ] ) * 1e3;
				$told['cpu'] += ( $now[ "$kind.tv_usec" ] - $spent[ "$kind.tv_usec" ] ) / 1e3;
			}
			if ( $wanted['look'] ) {
				$shortest = static function ( $act ) {
					$times = array();
					for ( $turn = 0; $turn < 5; $turn++ ) {
						$start = hrtime( true );
						$act();
						$times[] = ( hrtime( true ) - $start ) / 1e6;
					}
					return min( $times );
				};
				$told['database_trip'] = $shortest(
					static function () use ( $wpdb ) {
						$wpdb->get_var( 'SELECT 1' );
					}
				);
				$told['cache_trip']    = $shortest(
					static function () {
						wp_cache_get( 'absent', 'wordpress_ha_benchmark', true );
					}
				);
				$administrators        = get_users(
					array(
						'role'    => 'administrator',
						'number'  => 1,
						'orderby' => 'ID',
						'fields'  => 'ID',
					)
				);
				$told['newest_option'] = (int) $wpdb->get_var( "SELECT MAX(option_id) FROM $wpdb->options" );
				$told['user']          = (int) ( $administrators[0] ?? 0 );
				$posts                 = get_posts( array( 'numberposts' => 1 ) );
				$told['post']          = $posts ? (string) wp_parse_url( get_permalink( $posts[0] ), PHP_URL_PATH ) : '';
				if ( $posts && '' === get_option( 'permalink_structure' ) ) {
					$told['post'] = '/?p=' . $posts[0]->ID;
				}
			}
			if ( $wanted['clean_after'] ) {
				$told['cleaned'] = (int) $wpdb->query(
					$wpdb->prepare(
						"DELETE FROM $wpdb->options WHERE option_id > %d AND option_name REGEXP '^_(site_)?transient_'",
						$wanted['clean_after']
					)
				);
			}
			echo "\n<!-- wordpress_ha_benchmark ", json_encode( $told, JSON_HEX_TAG ), ' -->';
		}
	);
} )();
