<?php
/**
 * Plugin Name: WordPress HA sessions
 * Description: Keeps PHP's own sessions in the cache that all nodes share, where the stack wants them.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How it behaves (P38):
 *
 * - Switched off, nothing happens here: a session that a plugin starts fails, visibly, as it would get lost behind a load balancer.
 * - A session is locked from its start to its end, so that two requests of one visitor do not overwrite each other's. The lock of a node
 *   that died is gone after LOCK seconds; who waits longer than PATIENCE seconds gets no session.
 * - phpredis has a handler of its own, but PHP writes that one's address, with the password in it, into the log when the cache is away.
 *
 * @package wordpress_ha
 */

defined( 'ABSPATH' ) || exit;

/** Sessions as strings in Valkey or Redis. */
class WordPress_HA_Sessions implements SessionHandlerInterface, SessionIdInterface, SessionUpdateTimestampHandlerInterface {

	/** Seconds to wait for the cache, for somebody else's lock, and that a lock is kept at most. */
	const TIMEOUT  = 1;
	const PATIENCE = 10;
	const LOCK     = 90;

	/** Deletes a lock that is still one's own. */
	const UNLOCK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

	private array $cache;

	private ?Redis $redis = null;

	private string $locked = '';

	private string $token = '';

	public function __construct( array $cache ) {
		$this->cache = $cache;
	}

	public function open( string $path, string $name ): bool {
		try {
			$redis  = new Redis();
			$stream = $this->cache['tls'] ? array( 'stream' => array( 'cafile' => $this->cache['ca_file'], 'verify_peer' => true ) ) : array();
			$redis->connect( ( $this->cache['tls'] ? 'tls://' : '' ) . $this->cache['host'], $this->cache['port'], self::TIMEOUT, null, 0, self::TIMEOUT, $stream );
			$login = array_values( array_filter( array( $this->cache['username'], $this->cache['auth'] ), 'strlen' ) );
			if ( $login ) {
				$redis->auth( $login );
			}
			$this->redis = $redis;
			return true;
		} catch ( RedisException $error ) {
			return $this->failed( $error );
		}
	}

	public function close(): bool {
		if ( null === $this->redis ) {
			return true; // PHP closes what it could not open, too
		}
		try {
			if ( '' !== $this->locked ) {
				$this->redis->eval( self::UNLOCK, array( $this->locked, $this->token ), 1 );
			}
			$this->redis->close();
		} catch ( RedisException $error ) {
			$this->failed( $error );
		}
		$this->locked = '';
		$this->redis  = null;
		return true;
	}

	public function create_sid(): string {
		return session_create_id();
	}

	public function validateId( string $id ): bool {
		try {
			return (bool) $this->redis->exists( $this->key( $id ) );
		} catch ( RedisException $error ) {
			return $this->failed( $error );
		}
	}

	/** @return string|false */
	#[ReturnTypeWillChange]
	public function read( string $id ) {
		try {
			return $this->lock( $id ) ? (string) $this->redis->get( $this->key( $id ) ) : false;
		} catch ( RedisException $error ) {
			return $this->failed( $error );
		}
	}

	public function write( string $id, string $data ): bool {
		try {
			return ( $this->key( $id ) . ':lock' === $this->locked || $this->lock( $id ) ) && $this->redis->setex( $this->key( $id ), $this->lifetime(), $data );
		} catch ( RedisException $error ) {
			return $this->failed( $error );
		}
	}

	public function updateTimestamp( string $id, string $data ): bool {
		return $this->write( $id, $data );
	}

	public function destroy( string $id ): bool {
		try {
			$this->redis->del( $this->key( $id ) );
			return true;
		} catch ( RedisException $error ) {
			return $this->failed( $error );
		}
	}

	/** The cache forgets by itself. */
	#[ReturnTypeWillChange]
	public function gc( int $seconds ) {
		return 0;
	}

	private function key( string $id ): string {
		return $this->cache['prefix'] . ':session:' . $id;
	}

	private function lifetime(): int {
		return max( 60, (int) ini_get( 'session.gc_maxlifetime' ) );
	}

	private function lock( string $id ): bool {
		$this->token = bin2hex( random_bytes( 12 ) );
		$until       = microtime( true ) + self::PATIENCE;
		while ( ! $this->redis->set( $this->key( $id ) . ':lock', $this->token, array( 'nx', 'ex' => self::LOCK ) ) ) {
			if ( microtime( true ) > $until ) {
				error_log( 'wordpress_ha sessions: another request has kept this session for too long' );
				return false;
			}
			usleep( 20000 );
		}
		$this->locked = $this->key( $id ) . ':lock';
		return true;
	}

	/** The kind of failure is enough for the log. */
	private function failed( RedisException $error ): bool {
		error_log( 'wordpress_ha sessions: the cache does not answer (' . get_class( $error ) . ')' );
		return false;
	}
}

if ( defined( 'WORDPRESS_HA_SESSIONS' ) && PHP_SESSION_NONE === session_status() && class_exists( 'Redis' ) ) {
	ini_set( 'session.use_strict_mode', '1' );
	ini_set( 'session.cookie_httponly', '1' );
	ini_set( 'session.cookie_samesite', 'Lax' );
	// Asked of the site rather than of a constant: each site of a network has an address of its own.
	ini_set( 'session.cookie_secure', 0 === strpos( (string) get_option( 'siteurl' ), 'https://' ) ? '1' : '0' );
	session_set_save_handler( new WordPress_HA_Sessions( WORDPRESS_HA_SESSIONS ), true );
}
