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
 * - without an object cache, in wp-admin, in previews, in development mode,
 * - when a plugin or theme filters the data or its translations, as what it answers may depend on the request,
 * - when WordPress's classes do not look as this plugin knows them: it sets `WP_Theme_JSON_Resolver::$theme`, which is protected, and WordPress then
 *   reads the files itself as always.
 *
 * On a node's own copy of the code, which never changes, an entry lasts for a day. Where files may be changed in place it lasts for a minute, and not
 * longer than the time stamps of the theme's files stay.
 *
 * @package wordpress_ha
 */

defined( 'ABSPATH' ) || exit;

/** Hands WordPress the theme's data that an earlier request has read. */
class WordPress_HA_Theme {

	const GROUP = 'wordpress_ha_theme';

	/** The layout of what is kept. */
	const VERSION = 1;

	/** Seconds for which an entry lasts where code never changes, and where it may. */
	const COPY  = DAY_IN_SECONDS;
	const TRUTH = MINUTE_IN_SECONDS;

	/** What is kept, by WordPress's names: its own theme.json, what the blocks bring, the theme's. The author's own styles are a post, and stay one. */
	const ORIGINS = array( 'core', 'blocks', 'theme' );

	/** Callbacks to these would change what comes out, from one request to the next for all that is known here. */
	const FILTERS = array( 'wp_theme_json_data_default', 'wp_theme_json_data_blocks', 'wp_theme_json_data_theme', 'gettext', 'gettext_with_context', 'theme_file_path' );

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
		// Filters may have come since.
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
		if ( ! wp_using_ext_object_cache() || is_admin() || wp_installing() || is_customize_preview() || 'wp-login.php' === ( $GLOBALS['pagenow'] ?? '' )
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

	/** The name of what this request would read: everything that it depends on. */
	private function name(): string {
		$directories = array_unique( array( get_stylesheet_directory(), get_template_directory() ) );
		$stamps      = array();
		if ( $this->is_truth() ) {
			foreach ( $directories as $directory ) {
				$stamps[] = array( @filemtime( "$directory/theme.json" ), @filemtime( "$directory/styles" ) );
			}
		}
		$styles  = WP_Block_Styles_Registry::get_instance()->get_all_registered();
		$blocks  = array_keys( WP_Block_Type_Registry::get_instance()->get_all_registered() );
		$plugins = array( get_option( 'active_plugins' ), is_multisite() ? get_site_option( 'active_sitewide_plugins' ) : null );
		$all     = array( self::VERSION, $GLOBALS['wp_version'], ABSPATH, $directories, $stamps, determine_locale(), $plugins, $blocks, $styles );
		return md5( (string) wp_json_encode( $all ) );
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
