<?php
/**
 * What the fleet shares: names that carry a generation, one prefetch per request, writes that wait for company.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * @package wordpress_ha
 */

class WordPress_HA_Cache_Shared {

	/** First byte of what a deletion leaves behind; see delete(). */
	const TOMBSTONE = 'x';

	/** Seconds that it lies there: longer than any request that may still hold what it read before. */
	const GRAVE_TTL = 300;

	/** Seconds that the keys of a URL are remembered; URLs with a query string may be without number. */
	const LIST_TTL       = 86400;
	const QUERY_LIST_TTL = 3600;

	/** Keys in a list, operations and bytes in the queue, at most. */
	const LIST_KEYS   = 1500;
	const QUEUE_KEYS  = 200;
	const QUEUE_BYTES = 1048576;

	/** Parameters of links in campaigns, which change nothing. */
	const CAMPAIGN = '/^(utm_|gclid$|fbclid$|msclkid$|mc_)/';

	private WordPress_HA_Cache_Link $link;
	private string $prefix;
	private bool $defers;

	/** Tokens by group, '' being the whole cache's. Null until the first exchange. */
	private ?array $tokens    = null;
	private string $token_raw = '';

	/** Prefetched, by group and id: bytes, or null for what is not there. */
	private array $known = array();
	/** What was found in place of a value when it was asked for: '' for nothing, or a tombstone. By group and id. */
	private array $leases = array();

	private array $queue     = array();
	private int $queue_bytes = 0;
	private bool $urgent     = false;

	/** Names of the lists, those that are not there yet, what was prefetched and what this request asked for, by group and id. */
	private array $lists      = array();
	private array $unwritten  = array();
	private array $prefetched = array();
	private array $used       = array();
	private int $listed       = 0;
	/** Whether a key was asked for that was not on the list, and whether the list was asked for at all. */
	private bool $is_surprised = false;
	private bool $is_begun     = false;
	private bool $is_renewing  = false;

	/** $url tells the requests apart whose keys are remembered; empty: none are. */
	public function __construct( WordPress_HA_Cache_Link $link, string $prefix, bool $defers, string $url ) {
		$this->link   = $link;
		$this->prefix = $prefix;
		$this->defers = $defers;
		if ( '' !== $url ) {
			// What stands for a URL that nobody asked for yet: its path with any parameters, then any page of its kind.
			$path        = (string) strtok( $url, '?' );
			$kind        = preg_replace( '~ /(?!.*wp-(admin|json)/|[^/]*\.php).*~', ' /', $path );
			$this->lists = array_values( array_unique( array_map( fn ( $name ) => $prefix . ':keys:' . md5( $name ), array( $url, $path, $kind ) ) ) );
		}
	}

	/** What the present request is known by: visitors share one list, every user has another. */
	public static function url_of_request(): string {
		if ( 'cli' === PHP_SAPI || empty( $_SERVER['REQUEST_URI'] ) ) {
			return '';
		}
		list( $path, $query ) = explode( '?', $_SERVER['REQUEST_URI'], 2 ) + array( 1 => '' );
		parse_str( $query, $parameters );
		$parameters = array_filter( $parameters, fn ( $name ) => ! preg_match( self::CAMPAIGN, $name ), ARRAY_FILTER_USE_KEY );
		ksort( $parameters );
		$user = '';
		foreach ( $_COOKIE as $name => $value ) {
			if ( is_string( $value ) && 0 === strpos( $name, 'wordpress_logged_in_' ) ) {
				$user = strtok( $value, '|' );
			}
		}
		// In the REST API and admin-ajax.php the path alone says little, yet one request there resembles another.
		return implode( ' ', array( $_SERVER['REQUEST_METHOD'] ?? '', $_SERVER['HTTP_HOST'] ?? '', $user, $path ) )
			. ( $parameters ? '?' . http_build_query( $parameters ) : '' );
	}

	public function is_usable(): bool {
		return $this->link->is_usable();
	}

	/** Whether operations wait until there is a reason to send them. */
	public function is_deferring(): bool {
		return $this->defers && $this->is_usable();
	}

	/**
	 * Return the bytes of each id, null for what is not there, in as few round trips as can be.
	 *
	 * @param bool $keeps Whether what was found missing counts as missing for the rest of the request.
	 */
	public function read( string $group, array $ids, bool $anew, bool $keeps ): array {
		$this->begin();
		$bytes   = array();
		$missing = array();
		foreach ( $ids as $id ) {
			$this->used[ $group ][ $id ] = true;
			if ( ! $anew && isset( $this->known[ $group ] ) && array_key_exists( $id, $this->known[ $group ] ) ) {
				$bytes[ $id ] = $this->known[ $group ][ $id ];
				if ( ! $keeps ) {
					unset( $this->known[ $group ][ $id ] );
				}
			} else {
				$missing[]          = $id;
				$this->is_surprised = $this->is_surprised || ! isset( $this->prefetched[ $group ][ $id ] );
			}
		}
		if ( $missing ) {
			$prefix  = $this->prefix_of( $group );
			$answers = $this->exchange( array_map( fn ( $id ) => array( 'get', $prefix . $id ), $missing ) );
			foreach ( $missing as $position => $id ) {
				$bytes[ $id ] = $this->note( $group, $id, $answers[ $position ] ?? null );
				if ( $keeps && null === $bytes[ $id ] && null !== $answers ) {
					$this->known[ $group ][ $id ] = null;
				}
			}
		}
		return $bytes;
	}

	/**
	 * Store what was read from the database, unless somebody was faster: a change made meanwhile deletes or replaces the value,
	 * and neither is undone by what was read before it (P10).
	 *
	 * @param ?array $instead Bytes and seconds of what takes the place of another value that was stored meanwhile; null leaves it there.
	 */
	public function fill( string $group, string $id, string $bytes, int $seconds, ?array $instead = null ): bool {
		$lease     = $this->leases[ $group ][ $id ] ?? '';
		$operation = '' === $lease ? array( 'add', '', $bytes, $seconds ) : array( 'swap', '', $bytes, $seconds, $lease );
		return $this->store_or( $group, $id, $operation, $instead, false );
	}

	/** Replace exactly what this request read, as by $expected. */
	public function swap( string $group, string $id, string $bytes, int $seconds, string $expected, ?array $instead = null ): bool {
		return $this->store_or( $group, $id, array( 'swap', '', $bytes, $seconds, $expected ), $instead, true );
	}

	private function store_or( string $group, string $id, array $operation, ?array $instead, bool $urgent ): bool {
		$operation[1] = $this->prefix_of( $group ) . $id;
		if ( null !== $instead ) {
			$operation['else'] = array_merge( array( 'set', $operation[1] ), $instead );
		}
		$this->forget( $group, $id );
		return (bool) $this->enqueue( $operation, $urgent );
	}

	/** Bytes and seconds of what a deletion leaves behind. */
	public static function grave(): array {
		return array( self::TOMBSTONE . self::token(), self::GRAVE_TTL );
	}

	/** Whether it was asked for, and found missing, earlier in this request. */
	public function has_lease( string $group, string $id ): bool {
		return isset( $this->leases[ $group ][ $id ] );
	}

	public function store( string $group, string $id, string $bytes, int $seconds, bool $urgent ): bool {
		$this->forget( $group, $id );
		return (bool) $this->enqueue( array( 'set', $this->prefix_of( $group ) . $id, $bytes, $seconds ), $urgent );
	}

	/**
	 * Delete values that are read from the database. A tombstone takes the place of each: it counts as missing, and only who read
	 * after the deletion, and so knows the tombstone, can put a value there.
	 */
	public function bury( string $group, array $ids ): void {
		$prefix = $this->prefix_of( $group );
		foreach ( $ids as $id ) {
			$grave = self::grave();
			$this->forget( $group, $id );
			$this->known[ $group ][ $id ]  = null;
			$this->leases[ $group ][ $id ] = $grave[0];
			$this->enqueue( array_merge( array( 'set', $prefix . $id ), $grave ), true );
		}
	}

	/** Run operations at once; each names group and id in place of the name. Null if the cache cannot be reached. */
	public function now( array $operations ): ?array {
		foreach ( $operations as &$operation ) {
			list( $group, $id ) = $operation[1];
			$this->forget( $group, $id );
			$operation[1] = $this->prefix_of( $group ) . $id;
		}
		unset( $operation );
		$results = $this->exchange( $operations );
		if ( null === $results ) {
			$this->link->note_lost_write();
		}
		return $results;
	}

	/** Give the whole cache ('') or one group a new generation: nothing is scanned or deleted, old values expire (P12). */
	public function renew( string $group ): bool {
		$this->known  = array();
		$this->leases = array();
		if ( '' === $group ) {
			$tokens = array( '' => self::token() );
			$raw    = (string) json_encode( $tokens ); // phpcs:ignore
			$done   = $this->exchange( array( array( 'set', $this->prefix . ':generations', $raw, 0 ) ) );
		} else {
			$done = null;
			// Two groups may be flushed at the same time: only what is known to be there is replaced.
			for ( $attempt = 0; $attempt < 5 && empty( $done[0] ); $attempt++ ) {
				$this->tokens = null;
				$this->begin();
				if ( ! $this->is_usable() ) {
					break;
				}
				$tokens = array( $group => self::token() ) + $this->tokens;
				$raw    = (string) json_encode( $tokens ); // phpcs:ignore
				$done   = $this->exchange( array( array( 'swap', $this->prefix . ':generations', $raw, 315360000, $this->token_raw ) ) );
			}
		}
		if ( null === $done ) {
			$this->link->note_lost_write();
			return false;
		}
		if ( empty( $done[0] ) ) {
			return false;
		}
		$this->tokens    = $tokens;
		$this->token_raw = $raw;
		return true;
	}

	/** Forget what this request knows, as is done between two sites or two jobs. */
	public function reset(): void {
		$this->send();
		$this->known  = array();
		$this->leases = array();
		$this->tokens = null;
	}

	/** Before the database is asked: what changed must be known to others by now; what only fills the cache can wait. */
	public function send_urgent(): void {
		if ( $this->urgent ) {
			$this->send();
		}
	}

	/** Send what waits. */
	public function send(): void {
		if ( $this->queue ) {
			$this->exchange( array() );
		}
	}

	/** The request ends: note its keys and send what waits, in one round trip. From now on nothing waits. */
	public function finish(): void {
		if ( null !== $this->tokens && $this->lists && $this->is_usable() ) {
			$used   = array_map( 'array_keys', $this->used );
			$number = array_sum( array_map( 'count', $used ) );
			// A key that was not listed cost a round trip; some that are no longer needed cost little.
			$differs = $this->is_surprised || $this->listed - $number > max( 16, $this->listed / 4 );
			if ( $number && $number <= self::LIST_KEYS ) {
				$bytes = (string) json_encode( $used ); // phpcs:ignore
				foreach ( $this->lists as $position => $name ) {
					if ( in_array( $name, $this->unwritten, true ) || ( 0 === $position && $differs ) ) {
						$this->enqueue( array( 'set', $name, $bytes, 0 === $position ? self::QUERY_LIST_TTL : self::LIST_TTL ), false );
					}
				}
			}
		}
		$this->send();
		$this->defers = false;
		$this->link->close();
	}

	/** What WP-CLI shows. */
	public function facts(): array {
		return array(
			'usable'      => $this->link->is_usable(),
			'last_error'  => $this->link->last_error,
			'round_trips' => $this->link->trips(),
			'operations'  => $this->link->calls,
			'seconds'     => round( $this->link->seconds, 4 ),
			'prefetched'  => $this->listed,
			'generation'  => $this->tokens[''] ?? '',
		);
	}

	/** The first exchange of a request: the generation, the lists; then all that the lists name. */
	private function begin(): void {
		if ( null !== $this->tokens || ! $this->is_usable() ) {
			return;
		}
		$first        = array( '' => self::token() );
		$name         = $this->prefix . ':generations';
		$lists        = $this->is_begun ? array() : $this->lists;
		$this->tokens = array( '' => 'none' );
		$this->is_begun = true;
		// The addition comes first for a second reason: a server that is no primary any more refuses it (P14).
		$operations = array( array( 'add', $name, json_encode( $first ), 0 ), array( 'get', $name ) ); // phpcs:ignore
		foreach ( $lists as $list ) {
			$operations[] = array( 'get', $list );
		}
		$answers = $this->link->run( $operations );
		if ( null === $answers ) {
			return;
		}
		$tokens = json_decode( (string) $answers[1], true );
		if ( ! is_array( $tokens ) || ! isset( $tokens[''] ) || $this->link->must_flush() ) {
			// Unreadable, or after an outage: what this machine wrote meanwhile never arrived.
			$this->recover();
			return;
		}
		if ( $this->link->is_attempt() ) {
			$this->link->recovered();
		}
		$this->tokens    = $tokens;
		$this->token_raw = (string) $answers[1];
		$found           = array_map( fn ( $bytes ) => json_decode( (string) $bytes, true ), array_slice( $answers, 2 ) );
		$this->unwritten = array_keys( array_filter( array_combine( $lists, $found ), 'is_null' ) );
		$this->prefetch( current( array_filter( $found, 'is_array' ) ) ?: array() );
	}

	/** Give up what may be stale after an outage or a failover. */
	private function recover(): void {
		$this->is_renewing = true;
		$this->link->flushing();
		if ( $this->renew( '' ) ) {
			$this->link->recovered();
		}
		$this->is_renewing = false;
	}

	private function prefetch( array $list ): void {
		$operations = array();
		$places     = array();
		foreach ( $list as $group => $ids ) {
			$prefix = $this->prefix_of( (string) $group );
			foreach ( (array) $ids as $id ) {
				$operations[] = array( 'get', $prefix . $id );
				$places[]     = array( (string) $group, (string) $id );
			}
		}
		$answers = $operations ? $this->link->run( $operations ) : null;
		foreach ( $answers ?? array() as $position => $bytes ) {
			list( $group, $id )           = $places[ $position ];
			$this->known[ $group ][ $id ] = $this->note( $group, $id, $bytes );

			$this->prefetched[ $group ][ $id ] = true;
		}
		$this->listed = count( $places );
	}

	/** Keep in mind what stands where a value could be; return the value's bytes. */
	private function note( string $group, string $id, ?string $bytes ): ?string {
		if ( null !== $bytes && self::TOMBSTONE !== ( $bytes[0] ?? '' ) ) {
			unset( $this->leases[ $group ][ $id ] );
			return $bytes;
		}
		$this->leases[ $group ][ $id ] = (string) $bytes;
		return null;
	}

	private function forget( string $group, string $id ): void {
		unset( $this->known[ $group ][ $id ], $this->leases[ $group ][ $id ] );
	}

	/** Take an operation into the queue; true, or its result if nothing waits in this request. */
	private function enqueue( array $operation, bool $urgent ) {
		$this->queue[]      = $operation;
		$this->queue_bytes += strlen( $operation[2] ?? '' );
		$this->urgent       = $this->urgent || $urgent;
		if ( ! $this->defers || count( $this->queue ) >= self::QUEUE_KEYS || $this->queue_bytes > self::QUEUE_BYTES ) {
			$results = $this->exchange( array() );
			return $this->defers || null === $results || end( $results );
		}
		return true;
	}

	/** Send what waits, then these operations, in one round trip; return the results of these, or those of the queue if there are none. */
	private function exchange( array $operations ): ?array {
		$this->begin();
		$queue             = $this->queue;
		$this->queue       = array();
		$this->queue_bytes = 0;
		$urgent            = $this->urgent;
		$this->urgent      = false;
		if ( ! $queue && ! $operations ) {
			return array();
		}
		$results = $this->link->run( array_merge( $queue, $operations ) );
		if ( null === $results ) {
			if ( $urgent ) {
				$this->link->note_lost_write();
			}
			return null;
		}
		$lost = array();
		foreach ( $queue as $position => $operation ) {
			if ( isset( $operation['else'] ) && ! $results[ $position ] ) {
				$lost[] = $operation;
			}
		}
		if ( ! $this->is_renewing && $this->link->must_flush() ) {
			// The server was demoted under us: what it acknowledged last may be missing at its successor (P14).
			$this->recover();
		}
		if ( $lost && ! $this->replace_others( $lost ) ) {
			$this->link->note_lost_write();
		}
		return $operations ? array_slice( $results, count( $queue ) ) : $results;
	}

	/** Put in place what stands for values that could not be stored, unless somebody else stored the same; false if the cache is away. */
	private function replace_others( array $lost ): bool {
		$found = $this->link->run( array_map( fn ( $operation ) => array( 'get', $operation[1] ), $lost ) );
		if ( null === $found ) {
			return false;
		}
		$others = array_filter( $lost, fn ( $position ) => $found[ $position ] !== $lost[ $position ][2], ARRAY_FILTER_USE_KEY );
		return ! $others || null !== $this->link->run( array_column( $others, 'else' ) );
	}

	/** Values are named by site, generation of all, generation of the group, group. */
	private function prefix_of( string $group ): string {
		$this->begin();
		return $this->prefix . ':' . ( $this->tokens[''] ?? 'none' ) . ':' . ( $this->tokens[ $group ] ?? '0' ) . ':' . $group . ':';
	}

	private static function token(): string {
		return bin2hex( random_bytes( 6 ) );
	}
}
