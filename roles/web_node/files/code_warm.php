<?php
/**
 * The code agent's hand in PHP-FPM's OPcache. It is reached over PHP-FPM's socket alone: no address of the site leads here.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

header( 'Content-Type: text/plain' );
ini_set( 'display_errors', '0' );
while ( ob_get_level() ) {
	ob_end_clean();
}

$question = json_decode( file_get_contents( 'php://input' ), true );
$below    = rtrim( $question['below'] ?? '', '/' ) . '/';

switch ( $question['do'] ?? '' ) {
	case 'status':
		$status = function_exists( 'opcache_get_status' ) ? opcache_get_status( '/' !== $below ) : false;
		if ( ! $status ) {
			echo 'null';
			break;
		}
		$files = array();
		$bytes = 0;
		foreach ( $status['scripts'] ?? array() as $path => $script ) {
			if ( 0 === strncmp( $path, $below, strlen( $below ) ) && ( $script['timestamp'] ?? 1 ) ) {
				$files[ substr( $path, strlen( $below ) ) ] = $script['hits'];

				$bytes += $script['memory_consumption'];
			}
		}
		// What is asked for most is compiled first, if there is no time for all.
		arsort( $files );
		echo json_encode(
			array(
				'free'     => $status['memory_usage']['free_memory'],
				'used'     => $status['memory_usage']['used_memory'],
				'wasted'   => $status['memory_usage']['wasted_memory'],
				'keys'     => $status['opcache_statistics']['num_cached_keys'],
				'max_keys' => $status['opcache_statistics']['max_cached_keys'],
				'restarts' => $status['opcache_statistics']['oom_restarts'] + $status['opcache_statistics']['hash_restarts'],
				'full'     => $status['cache_full'],
				'pending'  => $status['restart_pending'] || $status['restart_in_progress'],
				'files'    => array_map( 'strval', array_keys( $files ) ),
				'bytes'    => $bytes,
			)
		);
		break;

	case 'compile':
		foreach ( $question['files'] as $file ) {
			echo "file\n";
			flush();
			if ( @opcache_compile_file( $below . $file ) && opcache_is_script_cached( $below . $file ) ) {
				echo "ok\n";
			}
		}
		break;

	case 'forget':
		$files = $question['files'] ?? null;
		if ( null === $files ) {
			$files = array();
			foreach ( opcache_get_status( true )['scripts'] ?? array() as $path => $script ) {
				if ( 0 === strncmp( $path, $below, strlen( $below ) ) ) {
					$files[] = substr( $path, strlen( $below ) );
				}
			}
		}
		foreach ( $files as $file ) {
			opcache_invalidate( $below . $file, true );
		}
		echo "ok\n";
		break;

	case 'reset':
		opcache_reset();
		echo "ok\n";
		break;
}
