<?php
/**
 * Valkey and Redis, by phpredis: a TLS connection that a worker keeps, operations in one pipeline.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * @package wordpress_ha
 */

class WordPress_HA_Cache_Valkey implements WordPress_HA_Cache_Engine {

	/** Replies after which a new connection may lead to the primary. */
	const DEMOTED = '/^(READONLY|LOADING|MASTERDOWN)/';

	/** Store only if the present bytes are those expected. One key: it works wherever the key lives. */
	const SWAP = "if redis.call('GET',KEYS[1])~=ARGV[1] then return 0 end redis.call('SET',KEYS[1],ARGV[2],'EX',ARGV[3]) return 1";

	private array $settings;
	private ?Redis $redis = null;
	private int $trips    = 0;
	private bool $greeted = false;
	/** Whether the last exchange took about as long as it may. */
	private bool $is_slow = false;

	public function __construct( array $settings ) {
		$this->settings = $settings;
	}

	public static function is_available(): bool {
		return class_exists( 'Redis' );
	}

	public function trips(): int {
		return $this->trips;
	}

	public function identity(): string {
		try {
			$facts = $this->redis->info( 'server' );
			++$this->trips;
		} catch ( RedisException $error ) {
			throw new WordPress_HA_Cache_Away( $error->getMessage() );
		}
		return (string) ( $facts['run_id'] ?? '' );
	}

	public function connect(): void {
		// Our own greeting tells whether a kept connection is sound, in the round trip that the first operations need anyway.
		ini_set( 'redis.pconnect.echo_check_liveness', '0' ); // phpcs:ignore
		$host    = $this->settings['host'];
		$timeout = (float) $this->settings['timeout'];
		$context = array();
		if ( $this->settings['tls'] ) {
			$context['stream'] = array(
				'verify_peer'      => true,
				'verify_peer_name' => true,
				'peer_name'        => $host,
				'cafile'           => $this->settings['ca_file'],
			);
			$host              = 'tls://' . $host;
		}
		$this->redis   = new Redis();
		$this->greeted = false;
		$open          = 'cli' === PHP_SAPI ? 'connect' : 'pconnect';
		// Kept connections are told apart by what was verified when they were made.
		$name = 'cli' === PHP_SAPI ? null : substr( md5( serialize( array( $host, $this->settings['ca_file'] ) ) ), 0, 12 ); // phpcs:ignore
		try {
			$this->redis->setOption( Redis::OPT_MAX_RETRIES, 0 );
			if ( ! @$this->redis->$open( $host, (int) $this->settings['port'], $timeout, $name, 0, $timeout, $context ) ) { // phpcs:ignore
				throw new WordPress_HA_Cache_Away( 'no connection' );
			}
		} catch ( RedisException $error ) {
			throw new WordPress_HA_Cache_Away( $error->getMessage() );
		}
	}

	public function close(): void {
		if ( null !== $this->redis ) {
			try {
				// phpredis opens a connection that is gone anew before it closes it: another wait for a server that hangs (P9).
				if ( $this->redis->isConnected() ) {
					$this->redis->close();
				}
			} catch ( RedisException $error ) {
				unset( $error ); // it is closed then
			}
			$this->redis = null;
		}
	}

	public function run( array $operations ): array {
		try {
			return $this->send( $operations );
		} catch ( RedisException $error ) {
			// Replies may be left unread.
			$this->close();
			if ( 0 !== strpos( $error->getMessage(), 'OOM' ) ) {
				throw new WordPress_HA_Cache_Away( $error->getMessage(), $this->is_worth_another( $error ), 1 === preg_match( self::DEMOTED, $error->getMessage() ) );
			}
		}
		return $this->make_room( $operations );
	}

	private function is_worth_another( RedisException $error ): bool {
		// What hangs is not asked again: the caller has waited long enough.
		return preg_match( self::DEMOTED, $error->getMessage() )
			|| ( ! $this->is_slow && preg_match( '/went away|read error|lost|socket|broken pipe|greeting/i', $error->getMessage() ) );
	}

	private function send( array $operations ): array {
		if ( ! $operations ) {
			return array();
		}
		$begun         = microtime( true );
		$this->is_slow = false;
		try {
			$pipe  = $this->redis->pipeline();
			$nonce = $this->greeted ? '' : $this->greet( $pipe );
			$gets  = array();
			foreach ( $operations as $operation ) {
				$this->append( $pipe, $operation, $gets );
			}
			$this->append_gets( $pipe, $gets );
			$replies = $pipe->exec();
			++$this->trips;
		} finally {
			$this->is_slow = microtime( true ) - $begun > 0.8 * $this->settings['timeout'];
		}
		$this->check( $replies );
		if ( '' !== $nonce ) {
			$skip = '' === $this->settings['auth'] ? 1 : 2;
			if ( ( $replies[ $skip - 1 ] ?? null ) !== $nonce ) {
				throw new RedisException( 'another greeting than was sent' );
			}
			$this->greeted = true;
			$replies       = array_slice( $replies, $skip );
		}
		return $this->results( $operations, $replies );
	}

	/** Log in, and see by an echo that no reply of somebody else's is waiting in the connection. */
	private function greet( Redis $pipe ): string {
		if ( '' !== $this->settings['auth'] ) {
			// A kept connection stays logged in when the password has changed since: a refusal alone is no failure.
			$pipe->rawCommand( 'AUTH', ...array_filter( array( $this->settings['user'], $this->settings['auth'] ), 'strlen' ) );
		}
		$nonce = bin2hex( random_bytes( 8 ) );
		$pipe->rawCommand( 'ECHO', $nonce );
		return $nonce;
	}

	private function append( Redis $pipe, array $operation, array &$gets ): void {
		list( $what, $name ) = $operation;
		if ( 'get' === $what && ! $this->settings['serverless'] ) {
			$gets[] = $name;
			return;
		}
		$this->append_gets( $pipe, $gets );
		switch ( $what ) {
			case 'get':
				$pipe->get( $name ); // names of several slots in one command are refused by a serverless cache
				break;
			case 'delete':
				$pipe->unlink( $name );
				break;
			case 'incr':
				$pipe->incrBy( $name, $operation[2] );
				break;
			case 'swap':
				$pipe->rawCommand( 'EVAL', self::SWAP, 1, $name, $operation[4], $operation[2], $operation[3] );
				break;
			default:
				$seconds = $operation[3];
				$options = 0 === $seconds ? array() : ( -1 === $seconds ? array( 'keepttl' ) : array( 'ex' => $seconds ) );
				if ( 'set' !== $what ) {
					$options[] = 'add' === $what ? 'nx' : 'xx';
				}
				$pipe->set( $name, $operation[2], $options );
		}
	}

	private function append_gets( Redis $pipe, array &$gets ): void {
		if ( $gets ) {
			$pipe->mget( $gets );
			$gets = array();
		}
	}

	private function results( array $operations, array $replies ): array {
		$results = array();
		$many    = array();
		foreach ( $operations as $operation ) {
			$what = $operation[0];
			if ( 'get' === $what ) {
				if ( $this->settings['serverless'] ) {
					$reply = array_shift( $replies );
				} else {
					if ( ! $many ) {
						$many = (array) array_shift( $replies );
					}
					$reply = array_shift( $many );
				}
				$results[] = is_string( $reply ) ? $reply : null;
			} else {
				$reply     = array_shift( $replies );
				$results[] = 'incr' === $what ? $reply : (bool) $reply;
			}
		}
		return $results;
	}

	/** @throws RedisException|WordPress_HA_Cache_Away */
	private function check( $replies ): void {
		$error = (string) $this->redis->getLastError();
		$this->redis->clearLastError();
		if ( ! is_array( $replies ) ) {
			throw new RedisException( '' === $error ? 'read error' : $error );
		}
		// A password that is refused on a connection that goes on serving, and a word that is no number, are no failures.
		if ( '' !== $error && ! preg_match( '/^(WRONGPASS|WRONGTYPE|ERR value is not|ERR invalid password|ERR Client sent AUTH)/', $error ) ) {
			throw new RedisException( $error );
		}
	}

	/** The cache is full and may not evict: what would leave an older value behind becomes a deletion, what would not is left out. */
	private function make_room( array $operations ): array {
		$instead = array(
			'set'     => 'delete',
			'replace' => 'delete',
			'incr'    => 'delete',
			'add'     => 'get',
			'swap'    => 'get',
		);
		$others  = array_map( fn ( $operation ) => array( $instead[ $operation[0] ] ?? $operation[0] ) + $operation, $operations );
		$this->connect();
		try {
			$results = $this->send( $others );
		} catch ( RedisException $error ) {
			$this->close();
			throw new WordPress_HA_Cache_Away( $error->getMessage() );
		}
		foreach ( $operations as $position => $operation ) {
			if ( isset( $instead[ $operation[0] ] ) ) {
				$results[ $position ] = false;
			}
		}
		return $results;
	}
}
