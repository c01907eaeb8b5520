<?php
/**
 * Plugin Name: WordPress HA style sheets
 * Description: Where reading a file is a round trip, reads the small style sheets of a page once for the fleet.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * WordPress puts small style sheets, one for each kind of block, into the page: 13 on the front page of Twenty Twenty-Five. On the shared files (mode `efs`)
 * each is opened and closed by a round trip. Here the object cache keeps them, and WordPress's own function, which decides what is put into the page and how,
 * reads them from a stream that this plugin provides, in place of the files.
 *
 * On a node's own copy of the code files cost nothing, and this plugin does nothing. An entry is forgotten when code changes by wp-admin, WP-CLI or the nodes' scan (the
 * marker `generation`), and after a minute.
 *
 * @package wordpress_ha
 */

defined( 'ABSPATH' ) || exit;

/** Lends WordPress style sheets that an earlier request has read. */
class WordPress_HA_Styles {

	const GROUP = 'wordpress_ha_styles';

	/** Seconds for which an entry lasts. */
	const LASTS = MINUTE_IN_SECONDS;

	/** Bytes of one sheet, and of an entry: it is fetched with each page. */
	const SHEET = 40000;
	const ENTRY = 200000;

	/** Where WordPress's own function works, at 1. */
	const HOOKS = array( 'wp_head', 'wp_footer' );

	private string $truth;
	private string $state;
	private string $name = '';
	/** What was read in earlier requests, by path below ABSPATH. */
	private ?array $kept = null;
	/** Paths of sheets that were lent, by handle. */
	private array $lent = array();
	/** Sheets that WordPress read itself. */
	private array $read = array();

	public function __construct( string $root = '/srv/wordpress' ) {
		$this->truth = $root . '/shared/site';
		$this->state = $root . '/shared/state';
	}

	public function listen(): void {
		if ( is_admin() || ! wp_using_ext_object_cache() || realpath( ABSPATH ) !== realpath( $this->truth ) ) {
			return;
		}
		foreach ( self::HOOKS as $hook ) {
			add_action( $hook, array( $this, 'lend' ), 0 );
			add_action( $hook, array( $this, 'take_back' ), 2 );
		}
		add_action( 'shutdown', array( $this, 'keep' ), 0 );
	}

	/** Replace the paths of sheets that are known by addresses of the stream. */
	public function lend(): void {
		if ( wp_is_development_mode( 'theme' ) || wp_is_development_mode( 'plugin' ) || wp_is_development_mode( 'core' ) ) {
			return;
		}
		foreach ( wp_styles()->queue as $handle ) {
			$style = wp_styles()->registered[ $handle ] ?? null;
			$path  = $style->extra['path'] ?? null;
			if ( ! is_string( $path ) || ! $style->src || 0 !== strpos( $path, ABSPATH ) || '.css' !== substr( $path, -4 ) ) {
				continue;
			}
			$relative = substr( $path, strlen( ABSPATH ) );
			if ( isset( $this->kept()[ $relative ] ) ) {
				$this->lent[ $handle ]   = $path;
				$style->extra['path'] = WordPress_HA_Styles_Stream::lend( $relative, $this->kept()[ $relative ] );
			} else {
				$this->read[ $handle ] = $path;
			}
		}
	}

	/** Give the paths back: others may ask for them. */
	public function take_back(): void {
		foreach ( $this->lent as $handle => $path ) {
			if ( isset( wp_styles()->registered[ $handle ] ) ) {
				wp_styles()->registered[ $handle ]->extra['path'] = $path;
			}
		}
		$this->lent = array();
	}

	/** Keep what WordPress put into this page out of files. */
	public function keep(): void {
		$status = is_callable( array( $GLOBALS['wp_object_cache'] ?? null, 'status' ) ) ? (array) $GLOBALS['wp_object_cache']->status() : array();
		if ( ! ( $status['usable'] ?? true ) ) {
			return;
		}
		$kept = $this->kept ?? array();
		foreach ( $this->read as $handle => $path ) {
			// WordPress takes the address away of what it has put into the page.
			if ( false === ( wp_styles()->registered[ $handle ]->src ?? null ) ) {
				$css = @file_get_contents( $path, false, null, 0, self::SHEET + 1 ); // phpcs:ignore
				if ( is_string( $css ) && strlen( $css ) <= self::SHEET ) {
					$kept[ substr( $path, strlen( ABSPATH ) ) ] = $css;
				}
			}
		}
		if ( $kept !== $this->kept && array_sum( array_map( 'strlen', $kept ) ) <= self::ENTRY ) {
			wp_cache_set( $this->name, $kept, self::GROUP, self::LASTS );
		}
	}

	private function kept(): array {
		if ( null === $this->kept ) {
			$marker     = @stat( $this->state . '/generation' ); // phpcs:ignore
			$this->name = md5( serialize( array( $GLOBALS['wp_version'], $marker['ino'] ?? 0, $marker['mtime'] ?? 0 ) ) ); // phpcs:ignore
			$kept       = wp_cache_get( $this->name, self::GROUP );
			$this->kept = is_array( $kept ) ? $kept : array();
		}
		return $this->kept;
	}
}

/** What was lent, as files that can be looked at and read, and nothing else. */
class WordPress_HA_Styles_Stream {

	const SCHEME = 'wordpress-ha-style';

	/** By address. */
	private static array $sheets = array();

	/** @var resource|null Set by PHP. */
	public $context;

	private string $sheet = '';
	private int $at       = 0;

	/** Return the address of a sheet. */
	public static function lend( string $path, string $sheet ): string {
		if ( ! self::$sheets ) {
			stream_wrapper_register( self::SCHEME, self::class );
		}
		$address                  = self::SCHEME . '://' . $path;
		self::$sheets[ $address ] = $sheet;
		return $address;
	}

	public function stream_open( string $address, string $mode ): bool {
		if ( ! isset( self::$sheets[ $address ] ) || 'r' !== $mode[0] ) {
			return false;
		}
		$this->sheet = self::$sheets[ $address ];
		return true;
	}

	public function stream_read( int $count ): string {
		$part      = (string) substr( $this->sheet, $this->at, $count );
		$this->at += strlen( $part );
		return $part;
	}

	public function stream_eof(): bool {
		return $this->at >= strlen( $this->sheet );
	}

	public function stream_stat(): array {
		return self::facts( $this->sheet );
	}

	/** @return array|false */
	public function url_stat( string $address, int $flags ) {
		return isset( self::$sheets[ $address ] ) ? self::facts( self::$sheets[ $address ] ) : false;
	}

	/** A file that everybody may read. */
	private static function facts( string $sheet ): array {
		return array(
			'mode' => 0100444,
			'size' => strlen( $sheet ),
		);
	}
}

( new WordPress_HA_Styles() )->listen();
