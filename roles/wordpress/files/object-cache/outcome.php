<?php
/**
 * What the cache did for this machine's requests, added up in one file on tmpfs for whoever reports it.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * @package wordpress_ha
 */

class WordPress_HA_Cache_Outcome {

	/** Counters since the boot; seconds are those that requests spent waiting for the cache. */
	const COUNTERS = array( 'requests', 'hits', 'misses', 'round_trips', 'operations', 'seconds', 'requests_without' );

	/** Add one request's figures; one that finds the file busy is left out rather than kept waiting. */
	public static function add( string $file, array $status ): void {
		if ( '' === $file || 'cli' === PHP_SAPI ) {
			return;
		}
		$handle = @fopen( $file, 'c+' ); // phpcs:ignore
		if ( ! $handle ) {
			return;
		}
		if ( flock( $handle, LOCK_EX | LOCK_NB ) ) {
			$sums   = json_decode( (string) stream_get_contents( $handle ), true );
			$status = array(
				'requests'         => 1,
				'requests_without' => $status['usable'] ? 0 : 1,
			) + $status;
			foreach ( self::COUNTERS as $counter ) {
				$sums[ $counter ] = round( (float) ( $sums[ $counter ] ?? 0 ) + $status[ $counter ], 6 );
			}
			rewind( $handle );
			ftruncate( $handle, 0 );
			fwrite( $handle, (string) json_encode( $sums ) ); // phpcs:ignore
		}
		fclose( $handle ); // phpcs:ignore
	}

	/** Return the sums so far, zero for what was never counted. */
	public static function read( string $file ): array {
		$sums = is_readable( $file ) ? json_decode( (string) file_get_contents( $file ), true ) : null; // phpcs:ignore
		return ( is_array( $sums ) ? $sums : array() ) + array_fill_keys( self::COUNTERS, 0 );
	}
}
