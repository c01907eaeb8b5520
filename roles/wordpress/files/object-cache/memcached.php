<?php
/**
 * Memcached, in its own protocol over TLS: PHP's extensions for it either know no TLS or are not in a distribution.
 *
 * The nodes are found behind the configuration endpoint (R47) and change when it says so. All commands of an exchange are written
 * before the first answer is read, to all nodes.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * @package wordpress_ha
 */

class WordPress_HA_Cache_Memcached implements WordPress_HA_Cache_Engine {

	/** Seconds for which a machine believes the list of nodes. */
	const BELIEF = 10;

	/** Bytes that a name has at most, and a number of seconds above which Memcached takes it for a date. */
	const NAME    = 250;
	const SECONDS = 2592000;

	private array $settings;
	private int $trips = 0;
	/** Address to stream, opened when first needed. */
	private array $streams = array();
	/** Addresses of the nodes, or null while they are not known. */
	private ?array $nodes = null;
	/** What a value is known by to replace exactly it, by name. */
	private array $marks = array();
	/** Whether a kept connection has proved to be sound, by address. */
	private array $sound = array();

	public function __construct( array $settings ) {
		$this->settings = $settings;
	}

	public static function is_available(): bool {
		return true;
	}

	public function trips(): int {
		return $this->trips;
	}

	/** A node that begins anew is empty: it holds nothing that could be stale. */
	public function identity(): string {
		return implode( ' ', (array) $this->nodes );
	}

	public function connect(): void {
		$this->nodes = $this->nodes();
	}

	public function close(): void {
		foreach ( $this->streams as $stream ) {
			fclose( $stream ); // phpcs:ignore
		}
		$this->streams = array();
		$this->sound   = array();
	}

	public function run( array $operations ): array {
		$results = array();
		$batch   = array();
		foreach ( $operations as $operation ) {
			$name = $this->name( $operation[1] );
			if ( 'swap' === $operation[0] && ( $this->marks[ $name ][0] ?? null ) !== $operation[4] ) {
				// What is to be replaced was stored by this request, and so has no mark yet.
				$results = array_merge( $results, $this->exchange( $batch ) );
				$batch   = array();
				$this->exchange( array( array( 'get', $operation[1] ) ) );
			}
			$batch[] = $operation;
		}
		return array_merge( $results, $this->exchange( $batch ) );
	}

	private function exchange( array $operations ): array {
		if ( ! $operations ) {
			return array();
		}
		$results = array();
		// What follows an operation on the same value must see its outcome: node by node the order is kept.
		$places = array();
		foreach ( $operations as $position => $operation ) {
			$name    = $this->name( $operation[1] );
			$command = $this->command( $operation, $name );
			if ( null === $command ) {
				$results[ $position ] = false;
				continue;
			}
			$places[ $this->node_of( $name ) ][] = array( $position, $operation, $name, $command );
		}
		foreach ( $places as $address => $items ) {
			$this->write( $address, $this->greeting( $address ) . implode( '', array_column( $items, 3 ) ) );
		}
		++$this->trips;
		$refused = array();
		foreach ( $places as $address => $items ) {
			$this->read_greeting( $address );
			foreach ( $items as list( $position, $operation, $name ) ) {
				$results[ $position ] = $this->answer( $address, $operation, $name, $refused );
			}
		}
		if ( $refused ) {
			// No room, or too large: an older value must not outlive it.
			$this->exchange( array_map( fn ( $name ) => array( 'delete', $name ), $refused ) );
		}
		ksort( $results );
		return $results;
	}

	/** Return what is sent for an operation, or null if its outcome is known: nothing to compare with. */
	private function command( array $operation, string $name ): ?string {
		list( $what ) = $operation;
		if ( 'get' === $what ) {
			return "gets $name\r\n";
		}
		if ( 'delete' === $what ) {
			unset( $this->marks[ $name ] );
			return "delete $name\r\n";
		}
		if ( 'incr' === $what ) {
			return ( $operation[2] < 0 ? 'decr' : 'incr' ) . " $name " . abs( $operation[2] ) . "\r\n";
		}
		// Memcached cannot keep a value's end: counters that were no plain numbers begin anew.
		$seconds = -1 === $operation[3] ? 86400 : ( $operation[3] > self::SECONDS ? 0 : $operation[3] );
		$mark    = '';
		if ( 'swap' === $what ) {
			if ( ( $this->marks[ $name ][0] ?? null ) !== $operation[4] ) {
				return null;
			}
			$what = 'cas';
			$mark = ' ' . $this->marks[ $name ][1];
		}
		return "$what $name 0 $seconds " . strlen( $operation[2] ) . "$mark\r\n{$operation[2]}\r\n";
	}

	private function answer( string $address, array $operation, string $name, array &$refused ) {
		$line = $this->line( $address );
		switch ( $operation[0] ) {
			case 'get':
				$bytes = null;
				while ( 'END' !== $line ) {
					if ( ! preg_match( '/^VALUE \S+ \d+ (\d+) (\d+)$/D', $line, $found ) ) {
						throw new WordPress_HA_Cache_Away( "unexpected answer: $line" );
					}
					$bytes                = $this->bytes( $address, (int) $found[1] + 2 );
					$bytes                = substr( $bytes, 0, -2 );
					$this->marks[ $name ] = array( $bytes, $found[2] );
					$line                 = $this->line( $address );
				}
				return $bytes;
			case 'delete':
				return 'DELETED' === $line;
			case 'incr':
				// A number may be padded with blanks after it became shorter.
				return preg_match( '/^\d+ *$/D', $line ) ? (int) $line : false;
			default:
				unset( $this->marks[ $name ] );
				if ( 0 === strpos( $line, 'SERVER_ERROR' ) && 'add' !== $operation[0] ) {
					$refused[] = $operation[1];
				}
				if ( ! preg_match( '/^(STORED|NOT_STORED|EXISTS|NOT_FOUND|SERVER_ERROR.*)$/D', $line ) ) {
					throw new WordPress_HA_Cache_Away( "unexpected answer: $line" );
				}
				return 'STORED' === $line;
		}
	}

	/** A name of bytes that Memcached takes: long ones, and those with blanks or control characters, become a digest. */
	private function name( string $name ): string {
		if ( strlen( $name ) < self::NAME && ! preg_match( '/[\x00-\x20\x7f]/', $name ) ) {
			return $name;
		}
		return substr( preg_replace( '/[\x00-\x20\x7f]/', '_', $name ), 0, 100 ) . ':' . sha1( $name );
	}

	/** By rendezvous hashing: a node more or less moves the values of that node only. */
	private function node_of( string $name ): string {
		$best = '';
		$most = '';
		foreach ( $this->nodes as $address ) {
			$weight = hash( 'xxh64', $address . ' ' . $name );
			if ( $weight >= $most ) {
				$most = $weight;
				$best = $address;
			}
		}
		return $best;
	}

	/**
	 * Return the addresses behind the configuration endpoint; a plain Memcached is its own only node.
	 *
	 * While machines have lists that differ, one does not see what another deletes. So who finds another list than before keeps away
	 * from the cache until all must have found it, and flushes then as after every outage (P9).
	 */
	private function nodes(): array {
		$endpoint = $this->settings['host'] . ':' . $this->settings['port'];
		$file     = '' === $this->settings['outage_file'] ? '' : dirname( $this->settings['outage_file'] ) . '/nodes';
		$known    = '' !== $file && is_readable( $file ) ? json_decode( (string) file_get_contents( $file ), true ) : null; // phpcs:ignore
		$known    = is_array( $known ) && ( $known['endpoint'] ?? '' ) === $endpoint ? $known : null;
		if ( $known && time() - (int) filemtime( $file ) < self::BELIEF ) {
			return $known['nodes'];
		}
		$nodes = $this->ask_for_nodes( $endpoint );
		if ( '' !== $file ) {
			// Whole or not at all: other workers read it at any time.
			$draft = $file . '.' . getmypid();
			if ( false !== @file_put_contents( $draft, json_encode( array( 'endpoint' => $endpoint, 'nodes' => $nodes ) ) ) ) { // phpcs:ignore
				@rename( $draft, $file ); // phpcs:ignore
			}
			if ( $known && $known['nodes'] !== $nodes ) {
				@touch( $this->settings['outage_file'], time() + 2 * self::BELIEF ); // phpcs:ignore
				throw new WordPress_HA_Cache_Away( 'other nodes than before: ' . implode( ' ', $nodes ) );
			}
		}
		return $nodes;
	}

	private function ask_for_nodes( string $endpoint ): array {
		$this->write( $endpoint, $this->greeting( $endpoint ) . "config get cluster\r\n" );
		++$this->trips;
		$this->read_greeting( $endpoint );
		$line = $this->line( $endpoint );
		if ( ! preg_match( '/^CONFIG cluster \d+ (\d+)$/D', $line, $found ) ) {
			return array( $endpoint );
		}
		// The version's number, then name|address|port of each node.
		$bytes = $this->bytes( $endpoint, (int) $found[1] + 2 );
		while ( 'END' !== $this->line( $endpoint ) ) {
			continue;
		}
		preg_match_all( '/(\S+?)\|(\S*?)\|(\d+)/', $bytes, $all, PREG_SET_ORDER );
		$nodes = array_map( fn ( $node ) => $node[1] . ':' . $node[3], $all );
		sort( $nodes );
		return $nodes ? $nodes : array( $endpoint );
	}

	/** What shows that no answer of somebody else's waits in a kept connection: a word that comes back. */
	private function greeting( string $address ): string {
		if ( isset( $this->sound[ $address ] ) ) {
			return '';
		}
		$this->sound[ $address ] = bin2hex( random_bytes( 8 ) );
		return "md nobody:{$this->sound[ $address ]} O{$this->sound[ $address ]}\r\n";
	}

	private function read_greeting( string $address ): void {
		if ( true === $this->sound[ $address ] ) {
			return;
		}
		if ( "NF O{$this->sound[ $address ]}" !== $this->line( $address ) ) {
			throw new WordPress_HA_Cache_Away( 'another greeting than was sent', true );
		}
		$this->sound[ $address ] = true;
	}

	private function stream( string $address ) {
		if ( isset( $this->streams[ $address ] ) ) {
			return $this->streams[ $address ];
		}
		$timeout = (float) $this->settings['timeout'];
		$name    = substr( $address, 0, strrpos( $address, ':' ) );
		$context = stream_context_create(
			array(
				'ssl' => array(
					'verify_peer'      => true,
					'verify_peer_name' => true,
					'peer_name'        => $name,
					'cafile'           => $this->settings['ca_file'],
				),
			)
		);
		$flags   = STREAM_CLIENT_CONNECT | ( 'cli' === PHP_SAPI ? 0 : STREAM_CLIENT_PERSISTENT );
		$scheme  = $this->settings['tls'] ? 'tls' : 'tcp';
		$stream  = @stream_socket_client( "$scheme://$address", $number, $message, $timeout, $flags, $context ); // phpcs:ignore
		if ( ! $stream ) {
			throw new WordPress_HA_Cache_Away( "$address: " . ( $message ? $message : 'no connection' ) );
		}
		stream_set_timeout( $stream, (int) $timeout, (int) ( 1e6 * fmod( $timeout, 1 ) ) );
		$this->streams[ $address ] = $stream;
		return $stream;
	}

	private function write( string $address, string $bytes ): void {
		$stream = $this->stream( $address );
		while ( '' !== $bytes ) {
			$written = @fwrite( $stream, $bytes ); // phpcs:ignore
			if ( ! $written ) {
				throw new WordPress_HA_Cache_Away( "$address: cannot write", true );
			}
			$bytes = substr( $bytes, $written );
		}
	}

	private function line( string $address ): string {
		$line = fgets( $this->streams[ $address ] );
		if ( false === $line || "\n" !== substr( $line, -1 ) ) {
			$this->give_up( $address );
		}
		return rtrim( $line, "\r\n" );
	}

	private function bytes( string $address, int $length ): string {
		$bytes = (string) stream_get_contents( $this->streams[ $address ], $length );
		if ( strlen( $bytes ) < $length ) {
			$this->give_up( $address );
		}
		return $bytes;
	}

	/** @throws WordPress_HA_Cache_Away */
	private function give_up( string $address ): void {
		$slow = stream_get_meta_data( $this->streams[ $address ] )['timed_out'];
		throw new WordPress_HA_Cache_Away( $address . ( $slow ? ': no answer in time' : ': closed' ), ! $slow );
	}
}
