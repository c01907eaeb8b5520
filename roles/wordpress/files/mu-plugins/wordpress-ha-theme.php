<?php
/**
 * Plugin Name: WordPress HA theme
 * Description: Reads a block theme's theme.json and its variations once for the fleet, not once for each page.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * WordPress reads theme.json and every file below styles/ for each request, decodes, translates and sanitises them: a sixth of the CPU time of a front
 * page of Twenty Twenty-Five, and 33 files that mode `efs` reads over the network. What comes out depends on code, locale and the blocks that
 * are registered alone, so the object cache keeps it, under a name that says all of these. Nothing is kept or taken
 *
 * - without an object cache, in wp-admin but for its lists, in previews, in development mode,
 * - when a plugin or theme filters the data or its translations, as what it answers may depend on the request,
 * - when WordPress's classes do not look as this plugin knows them: it sets `WP_Theme_JSON_Resolver::$theme`, which is protected, and WordPress then
 *   reads the files itself as always.
 *
 * On a node's own copy of the code the name holds size and time stamp of every file that would be read, and of what registers blocks: all nodes that have
 * the same files share an entry, and a changed file makes another. Where each look is a round trip (mode `efs`) it holds few, and an entry lasts for a minute.
 *
 * wp-admin reads the head of each PHP file of the theme for its lists of templates, 98 of them for a list of posts of Twenty Twenty-Five. WordPress can
 * keep those itself; here it does, for a minute, in wp-admin alone.
 *
 * @package wordpress_ha
 */

defined( 'ABSPATH' ) || exit;

/** Hands WordPress the theme's data that an earlier request has read. */
class WordPress_HA_Theme {

	const GROUP = 'wordpress_ha_theme';

	/** The layout of what is kept. */
	const VERSION = 1;

	/** Seconds for which an entry lasts: on a node's copy, whose files' time stamps are all part of its name, and where only a few are. */
	const COPY  = HOUR_IN_SECONDS;
	const TRUTH = MINUTE_IN_SECONDS;

	/** What is kept, by WordPress's names: its own theme.json, what the blocks bring, the theme's. The author's own styles are a post, and stay one. */
	const ORIGINS = array( 'core', 'blocks', 'theme' );

	/** Callbacks to these would change what comes out, from one request to the next for all that is known here. */
	const FILTERS = array(
		'wp_theme_json_data_default',
		'wp_theme_json_data_blocks',
		'wp_theme_json_data_theme',
		'gettext',
		'gettext_with_context',
		'theme_file_path',
	);

	/** Pages of wp-admin that read a theme's fonts and templates, and change neither. */
	const LISTS = array( 'edit.php', 'edit-comments.php', 'edit-tags.php', 'index.php', 'upload.php', 'users.php' );

	/** What was read after one of these may be another site's or theme's. */
	const ACTIONS = array( 'switch_blog', 'switch_theme', 'start_previewing_theme' );

	private string $truth;
	private string $key    = '';
	private bool $is_taken = false;

	public function __construct( string $root = '/srv/wordpress' ) {
		$this->truth = $root . '/shared/site';
	}

	/** Take the data when all blocks are registered and nothing has asked for it; keep it at the end of a request that had to read it. */
	public function listen(): void {
		add_action( 'wp_loaded', array( $this, 'take' ), PHP_INT_MAX );
		add_action( 'shutdown', array( $this, 'keep' ), 0 );
		add_filter( 'wp_cache_themes_persistently', array( $this, 'heads' ), 10, 2 );
	}

	/** Seconds for which WordPress is to keep heads of themes' files, in place of not at all. */
	public function heads( $seconds, $context ) {
		$is_wanted = ! $seconds && 'WP_Theme' === $context && is_admin() && wp_using_ext_object_cache() && ! wp_is_development_mode( 'theme' );
		return $is_wanted ? MINUTE_IN_SECONDS : $seconds;
	}

	public function take(): void {
		if ( ! $this->is_wanted() || array_filter( $this->read() ) ) {
			return;
		}
		$this->key = $this->name();
		$kept      = wp_cache_get( $this->key, self::GROUP );
		if ( ! is_array( $kept ) || array( 'data', 'variations' ) !== array_keys( $kept ) || self::ORIGINS !== array_keys( $kept['data'] ) ) {
			return;
		}
		// As WordPress does when it reads the files of styles/.
		wp_register_block_style_variations_from_theme_json_partials( $kept['variations'] );
		$data = array_map( array( $this, 'as_object' ), $kept['data'] );
		$this->within(
			'WP_Theme_JSON_Resolver',
			static function () use ( $data ): void {
				// Blocks that are registered later make WordPress read again: it compares with these lists.
				$blocks = array_fill_keys( array_keys( WP_Block_Type_Registry::get_instance()->get_all_registered() ), true );
				foreach ( $data as $origin => $object ) {
					WP_Theme_JSON_Resolver::$$origin                = $object;
					WP_Theme_JSON_Resolver::$blocks_cache[ $origin ] = $blocks;
				}
			}
		);
		$this->is_taken = true;
	}

	public function keep(): void {
		// A cache that is away would make every page of the outage dearer. Filters may have come since.
		$status = is_callable( array( $GLOBALS['wp_object_cache'] ?? null, 'status' ) ) ? (array) $GLOBALS['wp_object_cache']->status() : array();
		if ( ! ( $status['usable'] ?? true ) ) {
			return;
		}
		if ( '' === $this->key || $this->is_taken || ! $this->is_wanted() || array_filter( self::ACTIONS, 'did_action' ) ) {
			return;
		}
		$data = array();
		foreach ( $this->read() as $origin => $object ) {
			if ( ! $object instanceof WP_Theme_JSON || 'WP_Theme_JSON' !== get_class( $object ) ) {
				return;
			}
			$data[ $origin ] = $this->as_array( $object );
		}
		$variations = array();
		foreach ( WP_Theme_JSON_Resolver::get_style_variations( 'block' ) as $variation ) {
			// Of its styles it matters only that there are some: they are part of the theme's data by now.
			$variations[] = array_merge(
				array_intersect_key( $variation, array_flip( array( 'blockTypes', 'slug', 'title' ) ) ),
				array( 'styles' => ! empty( $variation['styles'] ) )
			);
		}
		wp_cache_set( $this->key, compact( 'data', 'variations' ), self::GROUP, $this->is_truth() ? self::TRUTH : self::COPY );
	}

	/** Whether this request may use what others have read, and WordPress's classes are those that are known here. */
	private function is_wanted(): bool {
		if ( ! wp_using_ext_object_cache() || ! $this->is_reader() || wp_installing() || is_customize_preview() || 'wp-login.php' === ( $GLOBALS['pagenow'] ?? '' )
			|| ( defined( 'WP_CLI' ) && WP_CLI ) || ! function_exists( 'wp_register_block_style_variations_from_theme_json_partials' )
			|| ! class_exists( 'WP_Theme_JSON_Resolver' ) || wp_is_development_mode( 'theme' ) || wp_is_development_mode( 'core' ) ) {
			return false;
		}
		foreach ( self::FILTERS as $filter ) {
			if ( has_filter( $filter ) ) {
				return false;
			}
		}
		foreach ( array( ...self::ORIGINS, 'blocks_cache' ) as $property ) {
			if ( ! property_exists( 'WP_Theme_JSON_Resolver', $property ) ) {
				return false;
			}
		}
		$empty = ( new ReflectionClass( 'WP_Theme_JSON' ) )->newInstanceWithoutConstructor();
		return array( 'theme_json' ) === array_keys( $this->within( 'WP_Theme_JSON', fn() => get_object_vars( $empty ) ) );
	}

	/** Whether this request shows a page, of the site or a list of wp-admin: nothing that edits a theme or what is made with it. */
	private function is_reader(): bool {
		return ! is_admin() || ( ! wp_doing_ajax() && 'GET' === ( $_SERVER['REQUEST_METHOD'] ?? '' ) && in_array( $GLOBALS['pagenow'] ?? '', self::LISTS, true ) );
	}

	/** The name of what this request would read: everything that it depends on. No path of a node's copy, as each node has one of its own. */
	private function name(): string {
		$themes  = array_unique( array( get_stylesheet_directory(), get_template_directory() ) );
		$files   = $this->is_truth() ? $this->few( $themes ) : $this->all( $themes );
		$plugins = array( get_option( 'active_plugins' ), is_multisite() ? get_site_option( 'active_sitewide_plugins' ) : null );
		$styles  = WP_Block_Styles_Registry::get_instance()->get_all_registered();
		$blocks  = array_keys( WP_Block_Type_Registry::get_instance()->get_all_registered() );
		$stamps  = array();
		foreach ( $files as $file ) {
			$stamps[ str_replace( ABSPATH, '', $file ) ] = array( @filemtime( $file ), @filesize( $file ) );
		}
		$code = array( self::VERSION, $GLOBALS['wp_version'], get_stylesheet(), get_template(), $plugins, $stamps );
		return md5( (string) wp_json_encode( array( $code, determine_locale(), $blocks, $styles ) ) );
	}

	/** Where each look costs a round trip: what changes with an update. */
	private function few( array $themes ): array {
		$files = array();
		foreach ( $themes as $theme ) {
			array_push( $files, "$theme/theme.json", "$theme/styles" );
		}
		return $files;
	}

	/** On the node's own disk: all files that WordPress would read, and those by which themes and plugins register blocks and styles. */
	private function all( array $themes ): array {
		$files = wp_get_active_and_valid_plugins();
		foreach ( $themes as $theme ) {
			array_push( $files, "$theme/theme.json", "$theme/functions.php", "$theme/style.css" );
			if ( is_dir( "$theme/styles" ) ) {
				$found = new RecursiveIteratorIterator( new RecursiveDirectoryIterator( "$theme/styles", FilesystemIterator::SKIP_DOTS ) );
				foreach ( $found as $file ) {
					$files[] = $file->getPathname();
				}
			}
		}
		sort( $files );
		return $files;
	}

	private function is_truth(): bool {
		return realpath( ABSPATH ) === realpath( $this->truth );
	}

	/**
	 * What WordPress has read in this request, by origin; null for nothing yet.
	 *
	 * @return array<string, WP_Theme_JSON|null>
	 */
	private function read(): array {
		return $this->within(
			'WP_Theme_JSON_Resolver',
			static function (): array {
				$read = array();
				foreach ( WordPress_HA_Theme::ORIGINS as $origin ) {
					$read[ $origin ] = WP_Theme_JSON_Resolver::$$origin;
				}
				return $read;
			}
		);
	}

	private function as_array( WP_Theme_JSON $object ): array {
		return ( function (): array {
			return $this->theme_json;
		} )->call( $object );
	}

	/** Make the object without its constructor, which would sanitise the data once more. */
	private function as_object( array $data ): WP_Theme_JSON {
		$object = ( new ReflectionClass( 'WP_Theme_JSON' ) )->newInstanceWithoutConstructor();
		( function () use ( $data ): void {
			$this->theme_json = $data;
		} )->call( $object );
		return $object;
	}

	/** Run a function as one of a class of WordPress's own. */
	private function within( string $name, Closure $run ) {
		return Closure::bind( $run, null, $name )();
	}
}

( new WordPress_HA_Theme() )->listen();
