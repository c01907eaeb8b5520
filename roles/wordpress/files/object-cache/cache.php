<?php
/**
 * WordPress's object cache: what this request knows, in front of what the fleet shares.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * @package wordpress_ha
 */

#[AllowDynamicProperties]
class WP_Object_Cache {

	/**
	 * Groups in which WordPress itself keeps copies of rows: it reads them from the database when they are missing, deletes them after
	 * a change, and does not look at what deleting or adding returns. So both can wait for company, and what was read before a change
	 * never replaces what came after it.
	 */
	const COPIES = '/^(options|site-options|posts|terms|users|userlogins|useremail|userslugs|comment|bookmark|counts|sites|networks'
		. '|blog-details|blog-lookup|blog-id-cache|site-details|(post|term|user|comment|blog|site)_meta|.+_relationships)$/';

	/** Groups of answers to questions, which say themselves how old they are: storing them can wait. */
	const ANSWERS = '/^((post|term|comment|user|site|network)-queries|translation_files|theme_files)$/';

	/** Statements that change nothing. */
	const READS = '/^[\s(]*(?:SELECT|SHOW|DESC|DESCRIBE|EXPLAIN|SET|USE)\b/i';

	/** Groups of options: after a change nothing is stored, everybody reads anew (P10). */
	const OPTIONS = array(
		'options'      => true,
		'site-options' => true,
	);

	public int $cache_hits   = 0;
	public int $cache_misses = 0;

	/** Groups shared by all sites of a network, and groups that never leave the request; name to true. */
	protected array $global_groups         = array();
	protected array $non_persistent_groups = array();

	/** Group to id to value. */
	private array $cache = array();
	private ?WordPress_HA_Cache_Shared $shared = null;
	private string $outcome_file;
	private int $max_ttl;
	private bool $multisite;
	private string $blog_prefix;
	/** Whether this request changed options in the database, and by id what it must bury because it did so just now. */
	private bool $changed_options = false;
	private array $unsettled      = array();
	/** Whether it changed anything there. */
	private bool $has_written = false;
	private array $is_copy    = array();
	/** Bytes of the lists of options that do not exist, as they were read, by id. */
	private array $absent_options = array();

	public function __construct( ?array $settings = null ) {
		$settings ??= defined( 'WORDPRESS_HA_CACHE' ) ? WORDPRESS_HA_CACHE : array();
		$settings  += array(
			'engine'      => 'none',
			'host'        => '',
			'port'        => 6379,
			'tls'         => true,
			'ca_file'     => '',
			'user'        => '',
			'auth'        => '',
			'prefix'      => '',
			'serverless'  => false,
			'timeout'     => 0.25,
			'max_ttl'     => 86400,
			'outage_file' => '',
			'url'         => WordPress_HA_Cache_Shared::url_of_request(),
			'defers'      => 'cli' !== PHP_SAPI,
		);

		require_once __DIR__ . ( 'memcached' === $settings['engine'] ? '/memcached.php' : '/valkey.php' );
		$engine = 'memcached' === $settings['engine'] ? WordPress_HA_Cache_Memcached::class : WordPress_HA_Cache_Valkey::class;
		if ( '' !== $settings['host'] && ! in_array( $settings['engine'], array( '', 'none' ), true ) && $engine::is_available() ) {
			$link         = new WordPress_HA_Cache_Link( new $engine( $settings ), $settings['outage_file'] );
			$this->shared = new WordPress_HA_Cache_Shared( $link, $settings['prefix'], $settings['defers'], $settings['url'] );
		}
		$this->outcome_file = '' === $settings['outage_file'] ? '' : dirname( $settings['outage_file'] ) . '/outcome';
		$this->max_ttl      = max( 1, (int) $settings['max_ttl'] );
		$this->multisite    = is_multisite();
		$this->blog_prefix  = $this->multisite ? get_current_blog_id() . ':' : '';
	}

	public function add( $key, $data, $group = 'default', $expire = 0 ) {
		if ( wp_suspend_cache_addition() || ! $this->is_valid_key( $key ) ) {
			return false;
		}
		list( $group, $id ) = $this->locate( $key, $group );
		if ( $this->knows( $group, $id ) ) {
			return false;
		}
		if ( $this->is_shared( $group ) ) {
			if ( $this->is_copy( $group ) ) {
				$added = $this->shared->fill( $group, $id, self::encode( $data ), $this->ttl( $expire ) );
			} else {
				$operation = array( 'add', array( $group, $id ), self::encode( $data ), $this->ttl( $expire ) );
				$added     = $this->shared->now( array( $operation ) )[0] ?? true;
			}
			if ( ! $added && $this->shared->is_usable() ) {
				return false;
			}
		}
		$this->remember( $group, $id, $data );
		return true;
	}

	public function replace( $key, $data, $group = 'default', $expire = 0 ) {
		if ( ! $this->is_valid_key( $key ) ) {
			return false;
		}
		list( $group, $id ) = $this->locate( $key, $group );
		$replaced           = null;
		if ( $this->is_shared( $group ) ) {
			// A tombstone is nothing that could be replaced.
			if ( $this->is_copy( $group ) && ! $this->fetch( $group, array( $id ), false )->knows( $group, $id ) ) {
				return false;
			}
			$operation = array( 'replace', array( $group, $id ), self::encode( $data ), $this->ttl( $expire ) );
			$replaced  = $this->shared->now( array( $operation ) )[0] ?? null;
		}
		if ( ! ( $replaced ?? $this->knows( $group, $id ) ) ) {
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
		if ( $this->is_shared( $group ) ) {
			$this->store( $group, $id, $data, $this->ttl( $expire ) );
		}
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
		foreach ( $data as $key => $value ) {
			$results[ $key ] = $this->is_valid_key( $key );
			if ( ! $results[ $key ] ) {
				continue;
			}
			list( $name, $id ) = $this->locate( $key, $group );
			if ( $this->is_shared( $name ) ) {
				// Several options at once are never changed, only read.
				isset( self::OPTIONS[ $name ] )
					? $this->shared->fill( $name, $id, self::encode( $value ), $this->ttl( $expire ) )
					: $this->store( $name, $id, $value, $this->ttl( $expire ) );
			}
			$this->remember( $name, $id, $value );
		}
		return $results;
	}

	public function get( $key, $group = 'default', $force = false, &$found = null ) {
		$found = false;
		if ( ! $this->is_valid_key( $key ) ) {
			return false;
		}
		list( $group, $id ) = $this->locate( $key, $group );
		$this->fetch( $group, array( $id ), $force );
		$found = $this->knows( $group, $id );
		if ( ! $found ) {
			++$this->cache_misses;
			return false;
		}
		++$this->cache_hits;
		return self::copy( $this->cache[ $group ][ $id ] );
	}

	public function get_multiple( $keys, $group = 'default', $force = false ) {
		$values = array();
		$ids    = array();
		foreach ( $keys as $key ) {
			$values[ $key ] = false;
			if ( $this->is_valid_key( $key ) ) {
				list( $group, $ids[ $key ] ) = $this->locate( $key, $group );
			}
		}
		if ( ! $ids ) {
			return $values;
		}
		$this->fetch( $group, $ids, $force );
		foreach ( $ids as $key => $id ) {
			if ( $this->knows( $group, $id ) ) {
				++$this->cache_hits;
				$values[ $key ] = self::copy( $this->cache[ $group ][ $id ] );
			} else {
				++$this->cache_misses;
			}
		}
		return $values;
	}

	public function delete( $key, $group = 'default', $deprecated = false ) {
		return $this->is_valid_key( $key ) && $this->delete_multiple( array( $key ), $group )[ $key ];
	}

	public function delete_multiple( array $keys, $group = '' ) {
		$results = array();
		$ids     = array();
		foreach ( $keys as $key ) {
			if ( ! $this->is_valid_key( $key ) ) {
				continue;
			}
			list( $group, $id ) = $this->locate( $key, $group );
			$results[ $key ]    = $this->knows( $group, $id );
			$ids[ $key ]        = $id;
			unset( $this->cache[ $group ][ $id ] );
		}
		if ( ! $ids || ! $this->is_shared( $group ) ) {
			return $results;
		}
		if ( $this->is_copy( $group ) ) {
			// A tombstone says that it is gone already; what is there, or was never asked for, counts as deleted.
			foreach ( $ids as $key => $id ) {
				$results[ $key ] = $results[ $key ] || ! $this->shared->has_lease( $group, $id );
			}
			$this->shared->bury( $group, array_values( $ids ) );
			return $results;
		}
		$deleted = $this->shared->now( array_map( fn ( $id ) => array( 'delete', array( $group, $id ) ), array_values( $ids ) ) );
		foreach ( array_keys( $ids ) as $position => $key ) {
			$results[ $key ] = $results[ $key ] || ! empty( $deleted[ $position ] );
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
		return null === $this->shared || $this->shared->renew( '' );
	}

	public function flush_group( $group ) {
		unset( $this->cache[ $group ] );
		return $this->is_shared( (string) $group ) ? $this->shared->renew( (string) $group ) : true;
	}

	public function flush_runtime() {
		$this->cache = array();
		if ( null !== $this->shared ) {
			$this->shared->reset();
		}
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

	/** The request ends: what waits is sent, and this machine's figures are kept. */
	public function close() {
		if ( null !== $this->shared ) {
			if ( $this->unsettled ) {
				$this->settle_options();
			}
			$this->shared->finish();
			WordPress_HA_Cache_Outcome::add( $this->outcome_file, $this->status() );
			$this->outcome_file = '';
		}
		return true;
	}

	/** Called before every question to the database, with its words; returns them. */
	public function before_query( $query ) {
		if ( null !== $this->shared ) {
			$this->shared->send_urgent();
			$this->has_written = $this->has_written || ! preg_match( self::READS, $query );
			if ( preg_match( '/^\s*(?:INSERT|UPDATE|DELETE|REPLACE)\b.{0,80}?(options|sitemeta)\b/is', $query, $found ) ) {
				$this->changed_options = true;
				if ( 'options' === strtolower( $found[1] ) ) {
					preg_match( "/(?:option_name`?\s*=|VALUES\s*\()\s*'([^'\\\\]+)'/i", $query, $name );
					$this->unsettled[ $this->blog_prefix . 'alloptions' ] = true;
					$this->unsettled[ $this->blog_prefix . 'notoptions' ] = true;
					$this->unsettled[ $this->blog_prefix . ( $name[1] ?? 'alloptions' ) ] = true;
				}
			}
		}
		return $query;
	}

	/** Called before this request asks another server for something, which may take long. */
	public function before_http( $answer ) {
		if ( null !== $this->shared ) {
			$this->shared->send_urgent();
		}
		return $answer;
	}

	public function stats() {
		$status = $this->status();
		printf(
			'<p><strong>Cache hits:</strong> %d<br /><strong>Cache misses:</strong> %d<br /><strong>Round trips:</strong> %d<br />'
			. '<strong>Reachable:</strong> %s</p>',
			(int) $this->cache_hits,
			(int) $this->cache_misses,
			(int) $status['round_trips'],
			$status['usable'] ? 'yes' : 'no'
		);
	}

	/** What WP-CLI and the tests show: whether the shared cache is in use, why not, and what it cost. */
	public function status(): array {
		$none = array(
			'usable'      => false,
			'last_error'  => '',
			'round_trips' => 0,
			'operations'  => 0,
			'seconds'     => 0.0,
			'prefetched'  => 0,
			'generation'  => '',
		);
		return array(
			'configured' => null !== $this->shared,
			'hits'       => $this->cache_hits,
			'misses'     => $this->cache_misses,
		) + ( null === $this->shared ? $none : $this->shared->facts() );
	}

	/** Return the group, never empty, and the value's id within it. */
	private function locate( $key, $group ): array {
		if ( $this->unsettled ) {
			$this->settle_options();
		}
		$group = empty( $group ) ? 'default' : (string) $group;
		return array( $group, isset( $this->global_groups[ $group ] ) ? (string) $key : $this->blog_prefix . $key );
	}

	private function is_shared( string $group ): bool {
		return null !== $this->shared && ! isset( $this->non_persistent_groups[ $group ] );
	}

	private function is_copy( string $group ): bool {
		return $this->is_copy[ $group ] ??= 1 === preg_match( self::COPIES, $group );
	}

	private function knows( string $group, string $id ): bool {
		return isset( $this->cache[ $group ] ) && array_key_exists( $id, $this->cache[ $group ] );
	}

	private function remember( string $group, string $id, $data ): void {
		$this->cache[ $group ][ $id ] = self::copy( $data );
	}

	/** Make this request know what the fleet knows of these ids. */
	private function fetch( string $group, array $ids, bool $force ): self {
		$force = $force && $this->is_shared( $group ) && $this->shared->is_usable();
		$asked = $force ? $ids : array_filter( $ids, fn ( $id ) => ! $this->knows( $group, $id ) );
		if ( ! $asked || ! $this->is_shared( $group ) ) {
			return $this;
		}
		$bytes = $this->shared->read( $group, array_values( array_unique( $asked ) ), $force, $this->is_copy( $group ) );
		if ( $force && ! $this->shared->is_usable() ) {
			return $this; // lost on the way: what the request knew stays
		}
		foreach ( $bytes as $id => $value ) {
			unset( $this->cache[ $group ][ $id ] );
			$data = self::decode( $value, $found );
			if ( $found ) {
				$this->cache[ $group ][ $id ] = $data;
				if ( isset( self::OPTIONS[ $group ] ) && preg_match( '/(^|:)notoptions$/D', (string) $id ) ) {
					$this->absent_options[ $id ] = $value;
				}
			}
		}
		return $this;
	}

	private function store( string $group, string $id, $data, int $ttl ): void {
		if ( isset( self::OPTIONS[ $group ] ) && $this->store_option( $group, $id, $data, $ttl ) ) {
			return;
		}
		$bytes = self::encode( $data );
		if ( $this->is_copy( $group ) && $this->shared->has_lease( $group, $id ) ) {
			// Found missing, and now there: read from the database most likely. Who was faster, or changed it in between, wins.
			$this->shared->fill( $group, $id, $bytes, $ttl, $this->instead( $id, $ttl ) );
			return;
		}
		$this->shared->store( $group, $id, $bytes, $ttl, ! preg_match( self::ANSWERS, $group ) );
	}

	/**
	 * Bury the lists of options, and the option, after a change and before anything else.
	 *
	 * WordPress leaves the list of all alone if it does not hold what was changed, and the option's own value if the list does. But
	 * somebody may have read either before the change and be about to store it: what he saw in its place must not be there any more.
	 */
	private function settle_options(): void {
		$ids             = array_map( 'strval', array_keys( $this->unsettled ) );
		$this->unsettled = array();
		$this->shared->bury( 'options', $ids );
	}

	/** Whether an option's value was dealt with: the list of all, what was changed, and the list of what does not exist. */
	private function store_option( string $group, string $id, $data, int $ttl ): bool {
		$at     = strrpos( $id, ':' );
		$prefix = false === $at ? '' : substr( $id, 0, $at + 1 );
		$name   = substr( $id, strlen( $prefix ) );
		if ( 'alloptions' === $name || ( $this->changed_options && 'notoptions' === $name ) ) {
			// Two nodes that change an option each would overwrite each other's list (P10).
			$this->shared->bury( $group, array( $id ) );
			return true;
		}
		if ( 'notoptions' === $name && isset( $this->absent_options[ $id ] ) ) {
			$this->shared->swap( $group, $id, self::encode( $data ), $ttl, $this->absent_options[ $id ], $this->instead( $id, $ttl ) );
			unset( $this->absent_options[ $id ] );
			return true;
		}
		if ( $this->changed_options ) {
			$this->shared->bury( $group, array( $id, $prefix . 'notoptions' ) );
			return true;
		}
		return false;
	}

	/**
	 * What a request that changed something puts in the place of a value that somebody else stored meanwhile: its own may be its change.
	 *
	 * One that changed nothing leaves what it finds. Were that given up, requests at the same time would take it from each other for as
	 * long as they keep coming.
	 */
	private function instead( string $id, int $ttl ): ?array {
		if ( ! $this->has_written ) {
			return null;
		}
		// The time of the last change is never missing: another one says as much, and nothing was stored under it.
		return preg_match( '/(^|:)last_changed$/D', $id ) ? array( self::encode( microtime() ), $ttl ) : WordPress_HA_Cache_Shared::grave();
	}

	private function count( $key, int $offset, $group ) {
		$current = $this->get( $key, $group, true, $found );
		if ( ! $found ) {
			return false;
		}
		list( $group, $id ) = $this->locate( $key, $group );
		$value              = max( 0, ( is_numeric( $current ) ? (int) $current : 0 ) + $offset );
		if ( $this->is_shared( $group ) && $this->shared->is_usable() ) {
			$place = array( $group, $id );
			$plain = is_int( $current ) && $current >= 0 && $current + $offset >= 0;
			// The server counts, so that nodes do not overwrite each other; what is no plain number yet becomes one.
			$operation = $plain ? array( 'incr', $place, $offset ) : array( 'set', $place, (string) $value, -1 );
			$counted   = $this->shared->now( array( $operation ) )[0] ?? null;
			$value     = $plain && is_int( $counted ) ? max( 0, $counted ) : $value;
		}
		$this->cache[ $group ][ $id ] = $value;
		return $value;
	}

	private function ttl( $expire ): int {
		$expire = (int) $expire;
		return $expire > 0 ? min( $expire, $this->max_ttl ) : $this->max_ttl;
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
