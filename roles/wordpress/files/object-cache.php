<?php
/**
 * Plugin Name: WordPress HA object cache
 * Description: Object cache on Valkey or Redis for a fleet of nodes: TLS, short time-outs, outages survived without an error.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Configured by the constant WORDPRESS_HA_CACHE (see wp-config.php). How it behaves:
 *
 * - A value's key carries a generation, a random token held in one hash. Flushing sets a new token: nothing is scanned or
 *   deleted, old values expire (P12). Should the hash be evicted, a new token takes its place: never an old value.
 * - Every value expires, so that eviction always finds something (P13).
 * - The first failure ends the cache's use for the request: what follows lives in the request's own memory (P9). The outage is
 *   noted in a file on this node's tmpfs; while the note is young nobody tries to connect, and the first request that
 *   reaches the cache again flushes it, because this node's writes were lost meanwhile.
 *
 * @package wordpress_ha
 */

defined( 'ABSPATH' ) || exit;

/** The connection: commands that either work or report failure, never throw, and never wait long. */
class WordPress_HA_Cache_Connection {

	/** Seconds after a failure in which no request of this node tries to connect. */
	const PAUSE = 3;

	const PAUSED = 'the cache was away a moment ago';

	/** What shows that a primary became a replica, or is starting: connect anew, once (P14). */
	const MOVED = '/^(READONLY|LOADING|MASTERDOWN)/';

	private array $settings;
	private ?Redis $redis = null;
	private bool $failed  = false;

	/** Number of commands sent, and the last error, for whoever looks into it. */
	public int $calls         = 0;
	public string $last_error = '';

	public function __construct( array $settings ) {
		$this->settings = $settings + array(
			'engine'      => 'none',
			'host'        => '',
			'port'        => 6379,
			'tls'         => true,
			'ca_file'     => '',
			'auth'        => '',
			'timeout'     => 0.25,
			'outage_file' => '',
		);
	}

	/** Whether a cache is configured at all; without one, every value lives in the request only. */
	public function is_configured(): bool {
		return '' !== $this->settings['host'] && 'none' !== $this->settings['engine'] && class_exists( 'Redis' );
	}

	/** Whether commands can be expected to reach the cache in this request. */
	public function is_usable(): bool {
		return $this->is_configured() && ! $this->failed;
	}

	/**
	 * Run $command( Redis ) and return its result, or null if the cache cannot be reached.
	 */
	public function run( callable $command ) {
		if ( ! $this->is_usable() ) {
			return null;
		}
		try {
			return $this->attempt( $command );
		} catch ( RedisException $error ) {
			if ( preg_match( self::MOVED, $error->getMessage() ) ) {
				$this->redis = null;
				try {
					return $this->attempt( $command );
				} catch ( RedisException $again ) {
					$error = $again;
				}
			}
			$this->fail( $error->getMessage() );
			return null;
		}
	}

	/** Note that a write did not reach the cache: other nodes may hold an older value until the flush on recovery. */
	public function note_lost_write(): void {
		// Never renewed here: on a busy node lost writes would put off the next attempt for ever.
		if ( $this->failed && '' !== $this->settings['outage_file'] && ! $this->had_outage() ) {
			@touch( $this->settings['outage_file'] ); // phpcs:ignore
		}
	}

	/** Whether an earlier request could not reach the cache; whoever reaches it flushes and calls forget_outage. */
	public function had_outage(): bool {
		clearstatcache( true, $this->settings['outage_file'] );
		return '' !== $this->settings['outage_file'] && file_exists( $this->settings['outage_file'] );
	}

	public function forget_outage(): void {
		@unlink( $this->settings['outage_file'] ); // phpcs:ignore
	}

	public function close(): void {
		if ( null !== $this->redis ) {
			try {
				$this->redis->close();
			} catch ( RedisException $error ) {
				$this->last_error = $error->getMessage();
			}
			$this->redis = null;
		}
	}

	private function attempt( callable $command ) {
		$redis  = $this->redis ??= $this->connect();
		$result = $command( $redis );
		++$this->calls;
		// Errors inside a reply (READONLY, OOM ...) do not throw by themselves.
		$error = $redis->getLastError();
		if ( null !== $error ) {
			$redis->clearLastError();
			throw new RedisException( $error );
		}
		return $result;
	}

	/** A connection per request: none that outlives a failover (P14). */
	private function connect(): Redis {
		if ( $this->had_outage() && time() - (int) @filemtime( $this->settings['outage_file'] ) < self::PAUSE ) { // phpcs:ignore
			throw new RedisException( self::PAUSED );
		}
		$redis   = new Redis();
		$context = array();
		$host    = $this->settings['host'];
		$timeout = (float) $this->settings['timeout'];
		if ( '' !== $this->settings['auth'] ) {
			$context['auth'] = $this->settings['auth'];
		}
		if ( $this->settings['tls'] ) {
			$context['stream'] = array(
				'verify_peer'      => true,
				'verify_peer_name' => true,
				'peer_name'        => $host,
				'cafile'           => $this->settings['ca_file'],
			);
			$host              = 'tls://' . $host;
		}
		$redis->setOption( Redis::OPT_MAX_RETRIES, 0 );
		if ( ! @$redis->connect( $host, (int) $this->settings['port'], $timeout, null, 0, $timeout, $context ) ) { // phpcs:ignore
			throw new RedisException( 'no connection' );
		}
		return $redis;
	}

	private function fail( string $reason ): void {
		$this->failed     = true;
		$this->last_error = $reason;
		$this->redis      = null;
		if ( self::PAUSED !== $reason ) {
			if ( '' !== $this->settings['outage_file'] ) {
				@touch( $this->settings['outage_file'] ); // phpcs:ignore
			}
			error_log( 'object cache: ' . $reason . '; this request goes on without it' ); // phpcs:ignore
		}
	}
}

/** WordPress's object cache: what this request knows, in front of what the fleet shares. */
#[AllowDynamicProperties]
class WP_Object_Cache {

	public int $cache_hits   = 0;
	public int $cache_misses = 0;

	/** Groups shared by all sites of a network, and groups that never leave the request; name to true. */
	protected array $global_groups         = array();
	protected array $non_persistent_groups = array();

	/** Group to key to value. */
	private array $cache = array();
	private WordPress_HA_Cache_Connection $connection;
	private string $prefix;
	private int $max_ttl;
	private bool $multisite;
	private string $blog_prefix;
	/** Tokens by group; '' is the whole cache's. Null until asked for. */
	private ?array $generations = null;

	public function __construct( ?array $settings = null ) {
		$settings ??= defined( 'WORDPRESS_HA_CACHE' ) ? WORDPRESS_HA_CACHE : array();

		$this->connection  = new WordPress_HA_Cache_Connection( $settings );
		$this->prefix      = (string) ( $settings['prefix'] ?? '' );
		$this->max_ttl     = max( 1, (int) ( $settings['max_ttl'] ?? 86400 ) );
		$this->multisite   = is_multisite();
		$this->blog_prefix = $this->multisite ? get_current_blog_id() . ':' : '';
	}

	public function add( $key, $data, $group = 'default', $expire = 0 ) {
		if ( wp_suspend_cache_addition() || ! $this->is_valid_key( $key ) ) {
			return false;
		}
		list( $group, $id ) = $this->locate( $key, $group );
		if ( $this->knows( $group, $id ) ) {
			return false;
		}
		$stored = $this->store( $group, $id, $data, $expire, 'nx' );
		if ( false === $stored ) {
			return false;
		}
		$this->remember( $group, $id, $data );
		return true;
	}

	public function replace( $key, $data, $group = 'default', $expire = 0 ) {
		if ( ! $this->is_valid_key( $key ) ) {
			return false;
		}
		list( $group, $id ) = $this->locate( $key, $group );
		$stored             = $this->store( $group, $id, $data, $expire, 'xx' );
		if ( false === $stored || ( null === $stored && ! $this->knows( $group, $id ) ) ) {
			return false;
		}
		$this->remember( $group, $id, $data );
		return true;
	}

	public function set( $key, $data, $group = 'default', $expire = 0 ) {
		if ( ! $this->is_valid_key( $key ) ) {
			return false;
		}
		list( $group, $id ) = $this->locate( $key, $group );
		$this->store( $group, $id, $data, $expire );
		$this->remember( $group, $id, $data );
		return true;
	}

	public function add_multiple( array $data, $group = '', $expire = 0 ) {
		$results = array();
		foreach ( $data as $key => $value ) {
			$results[ $key ] = $this->add( $key, $value, $group, $expire );
		}
		return $results;
	}

	public function set_multiple( array $data, $group = '', $expire = 0 ) {
		$results = array();
		$entries = array();
		foreach ( $data as $key => $value ) {
			$results[ $key ] = $this->is_valid_key( $key );
			if ( $results[ $key ] ) {
				list( $name, $id ) = $this->locate( $key, $group );
				$entries[ $id ]    = $value;
				$this->remember( $name, $id, $value );
			}
		}
		if ( $entries && $this->is_persistent( $name ) ) {
			$prefix = $this->remote_prefix( $name );
			$ttl    = $this->ttl( $expire );
			$this->write(
				function ( Redis $redis ) use ( $entries, $prefix, $ttl ) {
					$pipe = $redis->multi( Redis::PIPELINE );
					foreach ( $entries as $id => $value ) {
						$pipe->setex( $prefix . $id, $ttl, self::encode( $value ) );
					}
					return $pipe->exec();
				}
			);
		}
		return $results;
	}

	public function get( $key, $group = 'default', $force = false, &$found = null ) {
		$found = false;
		if ( ! $this->is_valid_key( $key ) ) {
			return false;
		}
		list( $group, $id ) = $this->locate( $key, $group );
		if ( $this->knows( $group, $id ) && ! ( $force && $this->is_persistent( $group ) && $this->connection->is_usable() ) ) {
			++$this->cache_hits;
			$found = true;
			return self::copy( $this->cache[ $group ][ $id ] );
		}
		if ( $this->is_persistent( $group ) ) {
			$name  = $this->remote_prefix( $group ) . $id;
			$bytes = $this->connection->run( fn ( Redis $redis ) => $redis->get( $name ) );
			$value = self::decode( $bytes, $found );
			if ( $found ) {
				++$this->cache_hits;
				$this->cache[ $group ][ $id ] = $value;
				return self::copy( $value );
			}
		}
		++$this->cache_misses;
		return false;
	}

	public function get_multiple( $keys, $group = 'default', $force = false ) {
		$values = array();
		$asked  = array();
		foreach ( $keys as $key ) {
			$values[ $key ] = false;
			if ( ! $this->is_valid_key( $key ) ) {
				continue;
			}
			list( $name, $id ) = $this->locate( $key, $group );
			if ( $this->knows( $name, $id ) && ! ( $force && $this->is_persistent( $name ) && $this->connection->is_usable() ) ) {
				++$this->cache_hits;
				$values[ $key ] = self::copy( $this->cache[ $name ][ $id ] );
			} else {
				$asked[ $key ] = $id;
			}
		}
		if ( ! $asked ) {
			return $values;
		}
		$answers = array();
		if ( $this->is_persistent( $name ) ) {
			$prefix  = $this->remote_prefix( $name );
			$names   = array_map( fn ( $id ) => $prefix . $id, array_values( $asked ) );
			$answers = (array) $this->connection->run( fn ( Redis $redis ) => $redis->mget( $names ) );
		}
		foreach ( array_keys( $asked ) as $position => $key ) {
			$value = self::decode( $answers[ $position ] ?? false, $found );
			if ( $found ) {
				++$this->cache_hits;
				$this->cache[ $name ][ $asked[ $key ] ] = $value;
				$values[ $key ]                         = self::copy( $value );
			} else {
				++$this->cache_misses;
			}
		}
		return $values;
	}

	public function delete( $key, $group = 'default', $deprecated = false ) {
		return $this->delete_multiple( array( $key ), $group )[ $key ] ?? false;
	}

	public function delete_multiple( array $keys, $group = '' ) {
		$results = array();
		$ids     = array();
		foreach ( $keys as $key ) {
			if ( ! $this->is_valid_key( $key ) ) {
				continue;
			}
			list( $name, $id ) = $this->locate( $key, $group );
			$results[ $key ]   = $this->knows( $name, $id );
			$ids[ $key ]       = $id;
			unset( $this->cache[ $name ][ $id ] );
		}
		if ( $ids && $this->is_persistent( $name ) ) {
			$prefix  = $this->remote_prefix( $name );
			$deleted = $this->write(
				function ( Redis $redis ) use ( $ids, $prefix ) {
					$pipe = $redis->multi( Redis::PIPELINE );
					foreach ( $ids as $id ) {
						$pipe->unlink( $prefix . $id );
					}
					return $pipe->exec();
				}
			);
			foreach ( array_keys( $ids ) as $position => $key ) {
				$results[ $key ] = $results[ $key ] || ! empty( $deleted[ $position ] );
			}
		}
		return $results;
	}

	public function incr( $key, $offset = 1, $group = 'default' ) {
		return $this->count( $key, (int) $offset, $group );
	}

	public function decr( $key, $offset = 1, $group = 'default' ) {
		return $this->count( $key, -(int) $offset, $group );
	}

	/** Forget everything, on all nodes, whatever the number of values (P12). */
	public function flush() {
		$this->cache = array();
		return $this->renew( '' );
	}

	public function flush_group( $group ) {
		unset( $this->cache[ $group ] );
		return $this->is_persistent( $group ) ? $this->renew( (string) $group ) : true;
	}

	public function flush_runtime() {
		$this->cache       = array();
		$this->generations = null;
		return true;
	}

	public function add_global_groups( $groups ) {
		$this->global_groups += array_fill_keys( (array) $groups, true );
	}

	public function add_non_persistent_groups( $groups ) {
		$this->non_persistent_groups += array_fill_keys( (array) $groups, true );
	}

	public function switch_to_blog( $blog_id ) {
		$this->blog_prefix = $this->multisite ? (int) $blog_id . ':' : '';
	}

	public function close() {
		$this->connection->close();
		return true;
	}

	public function stats() {
		printf(
			'<p><strong>Cache hits:</strong> %d<br /><strong>Cache misses:</strong> %d<br /><strong>Commands:</strong> %d<br />'
			. '<strong>Reachable:</strong> %s</p>',
			(int) $this->cache_hits,
			(int) $this->cache_misses,
			(int) $this->connection->calls,
			$this->connection->is_usable() ? 'yes' : 'no'
		);
	}

	/** What WP-CLI and the tests show: whether the shared cache is in use, and why not. */
	public function status(): array {
		return array(
			'configured' => $this->connection->is_configured(),
			'usable'     => $this->connection->is_usable(),
			'calls'      => $this->connection->calls,
			'last_error' => $this->connection->last_error,
		);
	}

	/** Return the group, never empty, and the value's id within it. */
	private function locate( $key, $group ): array {
		$group = empty( $group ) ? 'default' : (string) $group;
		return array( $group, isset( $this->global_groups[ $group ] ) ? (string) $key : $this->blog_prefix . $key );
	}

	private function is_persistent( string $group ): bool {
		return ! isset( $this->non_persistent_groups[ $group ] ) && $this->connection->is_configured();
	}

	private function knows( string $group, string $id ): bool {
		return isset( $this->cache[ $group ] ) && array_key_exists( $id, $this->cache[ $group ] );
	}

	private function remember( string $group, string $id, $data ): void {
		$this->cache[ $group ][ $id ] = self::copy( $data );
	}

	/**
	 * Write one value to the shared cache.
	 *
	 * @return bool|null Null if the cache cannot be reached or the group never leaves the request.
	 */
	private function store( string $group, string $id, $data, $expire, string $condition = '' ): ?bool {
		if ( ! $this->is_persistent( $group ) ) {
			return null;
		}
		$name    = $this->remote_prefix( $group ) . $id;
		$options = array( 'ex' => $this->ttl( $expire ) );
		if ( '' !== $condition ) {
			$options[] = $condition;
		}
		$bytes   = self::encode( $data );
		$command = fn ( Redis $redis ) => (bool) $redis->set( $name, $bytes, $options );
		// An addition that is lost leaves no old value behind.
		return 'nx' === $condition ? $this->connection->run( $command ) : $this->write( $command );
	}

	/** Run a command that changes the shared cache; what is lost is remembered for the flush on recovery. */
	private function write( callable $command ) {
		$result = $this->connection->run( $command );
		if ( null === $result ) {
			$this->connection->note_lost_write();
		}
		return $result;
	}

	private function count( $key, int $offset, $group ) {
		$current = $this->get( $key, $group, true, $found );
		if ( ! $found ) {
			return false;
		}
		list( $group, $id ) = $this->locate( $key, $group );
		$value              = max( 0, ( is_numeric( $current ) ? (int) $current : 0 ) + $offset );
		if ( $this->is_persistent( $group ) && $this->connection->is_usable() ) {
			$name  = $this->remote_prefix( $group ) . $id;
			$plain = is_int( $current ) && $current + $offset >= 0;
			// The server counts, so that nodes do not overwrite each other; what is no plain number yet becomes one.
			$counted = $this->write(
				fn ( Redis $redis ) => $plain ? $redis->incrBy( $name, $offset ) : $redis->set( $name, (string) $value, array( 'keepttl' ) )
			);
			$value   = $plain && is_int( $counted ) ? max( 0, $counted ) : $value;
		}
		$this->cache[ $group ][ $id ] = $value;
		return $value;
	}

	private function ttl( $expire ): int {
		$expire = (int) $expire;
		return $expire > 0 ? min( $expire, $this->max_ttl ) : $this->max_ttl;
	}

	/** Return what a group's values are named by: site, generation of all, generation of the group, group. */
	private function remote_prefix( string $group ): string {
		$generations = $this->generations();
		return $this->prefix . ':' . $generations[''] . ':' . ( $generations[ $group ] ?? '0' ) . ':' . $group . ':';
	}

	private function generations(): array {
		if ( null !== $this->generations ) {
			return $this->generations;
		}
		$this->generations = array( '' => 'none' );
		$name              = $this->prefix . ':generations';
		$known             = $this->connection->run( fn ( Redis $redis ) => $redis->hGetAll( $name ) );
		if ( null === $known ) {
			return $this->generations;
		}
		if ( $this->connection->had_outage() ) {
			// Back after an outage: what this node wrote meanwhile never arrived.
			if ( $this->renew( '' ) ) {
				$this->connection->forget_outage();
			}
			return $this->generations;
		}
		if ( ! isset( $known[''] ) ) {
			// First use, or evicted. Whoever comes first names the generation.
			$token = self::token();
			$this->connection->run( fn ( Redis $redis ) => $redis->hSetNx( $name, '', $token ) );
			$known = $this->connection->run( fn ( Redis $redis ) => $redis->hGetAll( $name ) ) ?? array();
		}
		$this->generations = $known + array( '' => 'none' );
		return $this->generations;
	}

	/** Give the whole cache ('') or one group a new generation; false if the cache cannot be reached. */
	private function renew( string $group ): bool {
		if ( ! $this->connection->is_configured() ) {
			return true;
		}
		if ( '' !== $group ) {
			$this->generations();
		}
		$name  = $this->prefix . ':generations';
		$token = self::token();
		$done  = $this->write(
			function ( Redis $redis ) use ( $name, $group, $token ) {
				if ( '' === $group ) {
					$redis->unlink( $name );
				}
				return $redis->hSet( $name, $group, $token );
			}
		);
		if ( null === $done ) {
			return false;
		}
		$this->generations = '' === $group ? array( '' => $token ) : array( $group => $token ) + $this->generations;
		return true;
	}

	private static function token(): string {
		return bin2hex( random_bytes( 6 ) );
	}

	/** Objects are handed out and kept as copies, as WordPress's own cache does. */
	private static function copy( $data ) {
		return is_object( $data ) ? clone $data : $data;
	}

	/** Whole numbers stay plain, so that the server can count with them; all else is packed, smaller with igbinary. */
	private static function encode( $data ): string {
		if ( is_int( $data ) ) {
			return (string) $data;
		}
		return function_exists( 'igbinary_serialize' ) ? 'i' . igbinary_serialize( $data ) : 's' . serialize( $data ); // phpcs:ignore
	}

	private static function decode( $bytes, ?bool &$found ) {
		$found = true;
		if ( is_string( $bytes ) && '' !== $bytes ) {
			if ( preg_match( '/^-?\d+$/D', $bytes ) ) {
				return (int) $bytes;
			}
			$packed = substr( $bytes, 1 );
			if ( 'i' === $bytes[0] && function_exists( 'igbinary_unserialize' ) ) {
				return igbinary_unserialize( $packed );
			}
			if ( 's' === $bytes[0] ) {
				return unserialize( $packed ); // phpcs:ignore
			}
		}
		$found = false;
		return false;
	}

	protected function is_valid_key( $key ) {
		if ( is_int( $key ) || ( is_string( $key ) && '' !== trim( $key ) ) ) {
			return true;
		}
		_doing_it_wrong( __METHOD__, 'A cache key is an integer or a string that is not empty.', '6.1.0' );
		return false;
	}
}

// phpcs:disable -- WordPress's documented interface, function by function.
function wp_cache_init() {
	$GLOBALS['wp_object_cache'] = new WP_Object_Cache();
}

function wp_cache_add( $key, $data, $group = '', $expire = 0 ) {
	return $GLOBALS['wp_object_cache']->add( $key, $data, $group, (int) $expire );
}

function wp_cache_add_multiple( array $data, $group = '', $expire = 0 ) {
	return $GLOBALS['wp_object_cache']->add_multiple( $data, $group, (int) $expire );
}

function wp_cache_replace( $key, $data, $group = '', $expire = 0 ) {
	return $GLOBALS['wp_object_cache']->replace( $key, $data, $group, (int) $expire );
}

function wp_cache_set( $key, $data, $group = '', $expire = 0 ) {
	return $GLOBALS['wp_object_cache']->set( $key, $data, $group, (int) $expire );
}

function wp_cache_set_multiple( array $data, $group = '', $expire = 0 ) {
	return $GLOBALS['wp_object_cache']->set_multiple( $data, $group, (int) $expire );
}

function wp_cache_get( $key, $group = '', $force = false, &$found = null ) {
	return $GLOBALS['wp_object_cache']->get( $key, $group, $force, $found );
}

function wp_cache_get_multiple( $keys, $group = '', $force = false ) {
	return $GLOBALS['wp_object_cache']->get_multiple( $keys, $group, $force );
}

function wp_cache_delete( $key, $group = '' ) {
	return $GLOBALS['wp_object_cache']->delete( $key, $group );
}

function wp_cache_delete_multiple( array $keys, $group = '' ) {
	return $GLOBALS['wp_object_cache']->delete_multiple( $keys, $group );
}

function wp_cache_incr( $key, $offset = 1, $group = '' ) {
	return $GLOBALS['wp_object_cache']->incr( $key, $offset, $group );
}

function wp_cache_decr( $key, $offset = 1, $group = '' ) {
	return $GLOBALS['wp_object_cache']->decr( $key, $offset, $group );
}

function wp_cache_flush() {
	return $GLOBALS['wp_object_cache']->flush();
}

function wp_cache_flush_runtime() {
	return $GLOBALS['wp_object_cache']->flush_runtime();
}

function wp_cache_flush_group( $group ) {
	return $GLOBALS['wp_object_cache']->flush_group( $group );
}

function wp_cache_supports( $feature ) {
	return in_array(
		$feature,
		array( 'add_multiple', 'set_multiple', 'get_multiple', 'delete_multiple', 'flush_runtime', 'flush_group' ),
		true
	);
}

function wp_cache_close() {
	return $GLOBALS['wp_object_cache']->close();
}

function wp_cache_add_global_groups( $groups ) {
	$GLOBALS['wp_object_cache']->add_global_groups( $groups );
}

function wp_cache_add_non_persistent_groups( $groups ) {
	$GLOBALS['wp_object_cache']->add_non_persistent_groups( $groups );
}

function wp_cache_switch_to_blog( $blog_id ) {
	$GLOBALS['wp_object_cache']->switch_to_blog( $blog_id );
}

function wp_cache_reset() {
	_deprecated_function( __FUNCTION__, '3.5.0', 'wp_cache_switch_to_blog()' );
	return wp_cache_flush_runtime();
}
