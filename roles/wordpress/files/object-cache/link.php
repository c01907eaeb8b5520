<?php
/**
 * The way to the cache: one connection, one retry, one circuit breaker for all workers of this machine.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * @package wordpress_ha
 */

/** The cache cannot be used. */
class WordPress_HA_Cache_Away extends Exception {

	/** Whether a new connection is worth one attempt: this one was closed, or leads to a server that is no primary any more (P14). */
	public bool $again;

	/** Whether the server said so itself: what it acknowledged last may not have reached its successor. */
	public bool $demoted;

	public function __construct( string $message, bool $again = false, bool $demoted = false ) {
		parent::__construct( $message );
		$this->again   = $again;
		$this->demoted = $demoted;
	}
}

/**
 * An engine. Operations are lists, and each has one result:
 *
 * - get, name: the bytes, or null
 * - set, name, bytes, seconds (0: no end, -1: as before): whether it is stored
 * - add, name, bytes, seconds: the same, only if nothing has the name
 * - replace, name, bytes, seconds: the same, only if something has the name
 * - swap, name, bytes, seconds, expected: the same, only if the present bytes are those expected
 * - delete, name: whether there was anything
 * - incr, name, offset: the new number, or false
 *
 * What an engine has no room for is deleted instead: an older value must not outlive it (P13).
 */
interface WordPress_HA_Cache_Engine {

	/** @throws WordPress_HA_Cache_Away */
	public function connect(): void;

	/** @throws WordPress_HA_Cache_Away */
	public function run( array $operations ): array;

	/** Close for good; the next connect() does not find this connection again. */
	public function close(): void;

	/** Round trips so far, without those in which a new connection shakes hands. */
	public function trips(): int;

	/**
	 * What the server is known by, as long as it lives; '' if it cannot be told.
	 *
	 * @throws WordPress_HA_Cache_Away
	 */
	public function identity(): string;
}

class WordPress_HA_Cache_Link {

	/** Seconds after a failure in which nobody on this machine tries again. */
	const PAUSE = 3;

	/** Seconds in which one flush after a failover is enough for all workers of this machine. */
	const SETTLING = 10;

	private WordPress_HA_Cache_Engine $engine;
	private string $note;
	private bool $connected = false;
	private bool $failed    = false;
	/** The note, locked, while this request is the one that tries the cache again. */
	private $attempt = null;
	private string $server = '';
	private bool $proven   = false;
	private bool $demoted  = false;

	public int $calls         = 0;
	public float $seconds     = 0.0;
	public string $last_error = '';

	/** $note is the file, on this machine's tmpfs, by which its workers tell each other of an outage; empty: they do not. */
	public function __construct( WordPress_HA_Cache_Engine $engine, string $note ) {
		$this->engine = $engine;
		$this->note   = $note;
	}

	public function is_usable(): bool {
		return ! $this->failed;
	}

	public function trips(): int {
		return $this->engine->trips();
	}

	/** Run operations and return their results, or null if the cache cannot be reached. */
	public function run( array $operations ): ?array {
		if ( $this->failed ) {
			return null;
		}
		$begun = microtime( true );
		try {
			return $this->attempt( $operations );
		} catch ( WordPress_HA_Cache_Away $away ) {
			// A connection kept from an earlier request may be dead without anybody being to blame; one that worked a moment ago is not.
			if ( $away->again && ( $away->demoted || ! $this->proven ) ) {
				$this->engine->close();
				$this->connected = false;
				try {
					$results = $this->attempt( $operations );
					// Only now: whether the new primary answers decides between a failover and an outage.
					$this->demoted = $away->demoted;
					return $results;
				} catch ( WordPress_HA_Cache_Away $still ) {
					$away = $still;
				}
			}
			$this->fail( $away->getMessage() );
			return null;
		} finally {
			$this->seconds += microtime( true ) - $begun;
		}
	}

	/**
	 * Whether the shared values must be given up before they are read.
	 *
	 * After an outage they must, if this machine changed something that the cache does not know, or if another server answers now: what
	 * the old one acknowledged last may not have reached it. Otherwise a slow moment would cost all nodes their values.
	 */
	public function must_flush(): bool {
		if ( null !== $this->attempt ) {
			try {
				$this->server = $this->engine->identity();
			} catch ( WordPress_HA_Cache_Away $away ) {
				return true;
			}
			return file_exists( $this->note . '-lost' ) || @file_get_contents( $this->note . '-server' ) !== $this->server; // phpcs:ignore
		}
		if ( ! $this->demoted || '' === $this->note ) {
			return $this->demoted;
		}
		clearstatcache( true, $this->note . '-failover' );
		return time() - (int) @filemtime( $this->note . '-failover' ) > self::SETTLING; // phpcs:ignore
	}

	/** Whether this request is the one that tries the cache again after an outage. */
	public function is_attempt(): bool {
		return null !== $this->attempt;
	}

	/** A flush begins: what was lost until now is dealt with by it. */
	public function flushing(): void {
		if ( '' !== $this->note ) {
			@unlink( $this->note . '-lost' ); // phpcs:ignore
		}
	}

	/** The cache is in use again. The note goes last: until then the other workers keep away. */
	public function recovered(): void {
		if ( $this->demoted && '' !== $this->note ) {
			@touch( $this->note . '-failover' ); // phpcs:ignore
		}
		$this->demoted = false;
		if ( null !== $this->attempt ) {
			@file_put_contents( $this->note . '-server', $this->server ); // phpcs:ignore
			@unlink( $this->note ); // phpcs:ignore
			fclose( $this->attempt ); // phpcs:ignore
			$this->attempt = null;
		}
	}

	/** Note that a change did not arrive: others hold an older value until the flush that follows. */
	public function note_lost_write(): void {
		if ( '' === $this->note ) {
			return;
		}
		@touch( $this->note . '-lost' ); // phpcs:ignore
		// Never renewed: on a busy machine lost writes would put off the next attempt for ever.
		if ( ! $this->is_noted() ) {
			@touch( $this->note ); // phpcs:ignore
		}
	}

	public function close(): void {
		if ( null !== $this->attempt ) {
			fclose( $this->attempt ); // phpcs:ignore
			$this->attempt = null;
		}
	}

	private function attempt( array $operations ): array {
		if ( ! $this->connected ) {
			$this->pass_breaker();
			$this->engine->connect();
			$this->connected = true;
		}
		$results       = $this->engine->run( $operations );
		$this->calls  += count( $operations );
		$this->proven  = true;
		return $results;
	}

	/** @throws WordPress_HA_Cache_Away While the note is young, or another worker is the one who tries. */
	private function pass_breaker(): void {
		if ( '' === $this->note || null !== $this->attempt || ! $this->is_noted() ) {
			return;
		}
		// A note from the future is a pause that somebody asked for.
		if ( time() - (int) @filemtime( $this->note ) >= self::PAUSE ) { // phpcs:ignore
			$file = @fopen( $this->note, 'r+' ); // phpcs:ignore
			if ( $file && flock( $file, LOCK_EX | LOCK_NB ) ) {
				$this->attempt = $file;
				return;
			}
		}
		$this->failed = true;
		throw new WordPress_HA_Cache_Away( 'the cache was away a moment ago' );
	}

	private function is_noted(): bool {
		clearstatcache( true, $this->note );
		return file_exists( $this->note );
	}

	private function fail( string $reason ): void {
		$this->last_error = $reason;
		$this->engine->close();
		if ( $this->failed ) {
			return; // kept away by the note, which stays as it is
		}
		$this->failed = true;
		if ( '' !== $this->note && ( ! $this->is_noted() || (int) @filemtime( $this->note ) < time() ) ) { // phpcs:ignore
			@touch( $this->note ); // phpcs:ignore
		}
		$this->close();
		error_log( 'object cache: ' . $reason . '; this request goes on without it' ); // phpcs:ignore
	}
}
