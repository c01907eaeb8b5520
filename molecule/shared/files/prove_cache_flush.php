<?php
/**
 * Flushing a cache of a million values keeps nobody waiting (P12): wp eval-file prove_cache_flush.php
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

const PROOF_VALUES  = 1000000;
const PROOF_READING = 3; // seconds, the flush being in the middle

function proof_redis(): Redis {
	$cache = WORDPRESS_HA_CACHE;
	$redis = new Redis();
	$tls   = $cache['tls'] ? array( 'stream' => array( 'cafile' => $cache['ca_file'], 'peer_name' => $cache['host'] ) ) : array();
	$redis->connect( ( $cache['tls'] ? 'tls://' : '' ) . $cache['host'], $cache['port'], 10, null, 0, 60, $tls );
	$redis->auth( $cache['auth'] );
	return $redis;
}

$redis = proof_redis();
$limit = $redis->config( 'GET', 'maxmemory' )['maxmemory'];
$redis->config( 'SET', 'maxmemory', '400mb' );
wp_cache_set( 'proof', 'before', 'proof' );
$redis->rawCommand( 'EVAL', 'return 1', 0 );
$prefix = WORDPRESS_HA_CACHE['prefix'] . ':' . $GLOBALS['wp_object_cache']->status()['generation'] . ':0:proof:';
for ( $part = 0; $part < PROOF_VALUES / 10000; $part++ ) {
	$redis->eval( "for i = 1, 10000 do redis.call('SET', ARGV[1] .. i, 'i', 'EX', 600) end", array( "$prefix$part:" ), 0 );
}
$number = $redis->dbSize();

$pipe  = stream_socket_pair( STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0 );
$child = pcntl_fork();
if ( ! $child ) {
	$mine  = proof_redis();
	$waits = array();
	for ( $until = microtime( true ) + PROOF_READING; microtime( true ) < $until; usleep( 500 ) ) {
		$begun = microtime( true );
		$mine->get( $prefix . '1:1' );
		$waits[] = microtime( true ) - $begun;
	}
	sort( $waits );
	fwrite( $pipe[1], json_encode( array( count( $waits ), $waits[ (int) ( 0.99 * count( $waits ) ) ], end( $waits ) ) ) );
	posix_kill( getmypid(), SIGKILL ); // WordPress's own end would use the parent's connections
}
fclose( $pipe[1] );
usleep( 1000000 * PROOF_READING / 2 );
$begun   = microtime( true );
$flushed = wp_cache_flush();
$took    = microtime( true ) - $begun;
list( $reads, $p99, $longest ) = json_decode( stream_get_contents( $pipe[0] ), true );
pcntl_waitpid( $child, $status );
$gone = false === wp_cache_get( 'proof', 'proof', true );
$redis->eval( "for i = 1, 100 do redis.call('UNLINK', ARGV[1] .. i) end", array( $prefix ), 0 );
$redis->config( 'SET', 'maxmemory', $limit ); // evicts what was put there

$figures = sprintf( '%d keys: flushed in %.1f ms; %d reads meanwhile, p99 %.1f ms, longest %.1f ms', $number, 1000 * $took, $reads, 1000 * $p99, 1000 * $longest );
if ( ! $flushed || ! $gone || $number < PROOF_VALUES || $p99 > 0.05 ) {
	WP_CLI::error( "FAILED: a flush keeps nobody waiting: $figures" );
}
WP_CLI::log( "proved: a flush keeps nobody waiting: $figures (P12)" );
