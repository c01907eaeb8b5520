<?php
/**
 * Plugin Name: WordPress HA guard
 * Description: Keeps page caches and backup plugins, which a fleet of nodes cannot have, from running, and says why.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How it behaves:
 *
 * - A page cache on the nodes gives each visitor the page of whichever node he meets (R6, P46); a backup plugin runs on every node at
 *   once and overwrites its own records (R3). Both are refused when somebody activates them, and, however they came into the
 *   database, never loaded. They are named in the dashboard, in Site Health, to WP-CLI and in the deep health report.
 * - The drop-in advanced-cache.php is never loaded: wp-config.php sees to that. A W3 Total Cache for CDN and browser cache is welcome
 *   (R59), its page cache on disk is not.
 * - The stack file may allow one by name, with a reason (wordpress_ha_guard). That is audited: who activates it is written to PHP's
 *   log, and the permission is shown, with its reason, wherever a refusal would be.
 *
 * The first part knows nothing of WordPress: the deep health check, which does not load it, uses the same rules.
 *
 * @package wordpress_ha
 */

/** What is refused, and what of it an installation has. Plain data in, plain data out. */
class WordPress_HA_Guard_Rules {

	const WHY = array(
		'page-cache' => 'Each node would keep pages of its own, and a change would reach one of them only (R6). The edge keeps pages for all of them.',
		'backup'     => 'Every node would run it at once and overwrite what the others noted (R3). AWS Backup keeps the database and the files.',
		'drop-in'    => 'It would keep pages on each node (R6). It is not loaded; the file can be deleted.',
		'cache'      => 'It is not the object cache this stack was made with, so that nodes may keep different values (P46). It comes back with the next image.',
		'w3tc'       => 'Each node would keep pages of its own (R6). Switch its page cache off; its CDN and its browser cache may stay (R59).',
		'constant'   => 'WP_CACHE is true, so that a page cache can load on the nodes (R6). Take its line out of wp-config.php.',
	);

	/** Plugins by the name of their folder. What does a dozen things, one of them a page cache, is caught by its drop-in. */
	const REFUSED = array(
		'page-cache' => array(
			'atec-cache-apcu', 'batcache', 'borlabs-cache', 'breeze', 'cache-enabler', 'cachify', 'comet-cache', 'gator-cache',
			'hyper-cache', 'hyper-cache-extended', 'lite-cache', 'litespeed-cache', 'nginx-cache', 'nginx-cache-controller',
			'nginx-champuru', 'nginx-helper', 'nginx-mobile-theme', 'powered-cache', 'quick-cache', 'rapid-cache', 'redis-page-cache',
			'sg-cachepress', 'simple-cache', 'spinupwp', 'super-static-cache', 'surge', 'swift-performance', 'swift-performance-lite',
			'wp-cloudflare-page-cache', 'wp-fast-cache', 'wp-fastest-cache', 'wp-fastest-cache-premium', 'wp-ffpc', 'wp-rocket',
			'wp-speed-of-light', 'wp-static-cache', 'wp-super-cache', 'wpo-cache', 'yasakani-cache', 'zencache',
		),
		'backup'     => array(
			'backup', 'backup-and-restore-for-wp', 'backup-backup', 'backup-backup-pro', 'backup-by-supsystic', 'backup-guard',
			'backup-scheduler', 'backup-wd', 'backupbuddy', 'backuply', 'backuply-pro', 'backupwordpress', 'backwpup', 'backwpup-pro',
			'blogvault-real-time-backup', 'boldgrid-backup', 'boldgrid-backup-premium', 'dropbox-backup', 'duplicator', 'duplicator-pro',
			'everest-backup', 'jetpack-backup', 'online-backup-for-wordpress', 'snapshot-backups', 'solid-backups', 'total-upkeep',
			'updraft', 'updraftplus', 'vaultpress', 'wp-database-backup', 'wp-db-backup', 'wp-dbmanager', 'wp-time-capsule',
			'wpvivid-backup-pro', 'wpvivid-backuprestore', 'xcloner-backup-and-restore',
		),
	);

	/** Drop-ins of the object cache that this collection installs, by a word of their first lines. */
	const OBJECT_CACHES = array( 'WordPress HA object cache', 'Redis Object Cache Drop-In' );

	/** @var array<string,string> Reasons by what the stack file allows. */
	private array $allowed;

	/** @param array<string,string> $allowed Reasons by the name of a plugin's folder, or of a drop-in. */
	public function __construct( array $allowed = array() ) {
		$this->allowed = array_filter( $allowed, 'is_string' );
	}

	/** Return a plugin's name from its file: `wp-rocket/wp-rocket.php`, `wp-rocket-3.1/wp-rocket.php` and `wp-rocket.php` are one. */
	public static function name( string $file ): string {
		$name = strtolower( false === strpos( $file, '/' ) ? basename( $file, '.php' ) : strtok( $file, '/' ) );
		return (string) preg_replace( '/([-_.]v?[0-9]+(\.[0-9]+)*|[-_](main|master|trunk))+$/', '', $name );
	}

	/** Return the kind for which a plugin would be refused, or an empty string; whether it is allowed is not asked. */
	public static function kind( string $file ): string {
		$name = self::name( $file );
		foreach ( self::REFUSED as $kind => $names ) {
			if ( in_array( $name, $names, true ) ) {
				return $kind;
			}
		}
		return '';
	}

	/** Return the reason for which something is allowed that would be refused, or an empty string. */
	public function permission( string $name ): string {
		return $this->allowed[ $name ] ?? '';
	}

	public function refuses( string $file ): bool {
		return '' !== self::kind( $file ) && '' === $this->permission( self::name( $file ) );
	}

	/**
	 * Return what an installation has of it, one array with `name`, `kind`, `allowed` (a reason or nothing) and `why` each.
	 *
	 * @param string[] $plugins    Files of the active plugins, as the database has them.
	 * @param string   $content    Folder wp-content.
	 * @param bool     $wp_cache   Whether WP_CACHE is true.
	 * @param bool     $own_object Whether the object cache must be one of this collection's.
	 */
	public function findings( array $plugins, string $content, bool $wp_cache, bool $own_object ): array {
		$found = array();
		foreach ( $plugins as $file ) {
			if ( is_string( $file ) && '' !== self::kind( $file ) ) {
				$found[] = array( self::name( $file ), self::kind( $file ) );
			}
		}
		if ( is_file( "$content/advanced-cache.php" ) ) {
			$found[] = array( 'advanced-cache.php', 'drop-in' );
		}
		if ( $wp_cache ) {
			$found[] = array( 'advanced-cache.php', 'constant' );
		}
		if ( $own_object && is_file( "$content/object-cache.php" ) && ! self::is_own( "$content/object-cache.php" ) ) {
			$found[] = array( 'object-cache.php', 'cache' );
		}
		if ( self::w3tc_keeps_pages_on_disk( $content ) ) {
			$found[] = array( 'w3-total-cache', 'w3tc' );
		}
		return array_map(
			fn( $one ) => array(
				'name'    => $one[0],
				'kind'    => $one[1],
				'allowed' => $this->permission( $one[0] ),
				'why'     => self::WHY[ $one[1] ],
			),
			$found
		);
	}

	private static function is_own( string $file ): bool {
		$head = (string) @file_get_contents( $file, false, null, 0, 2048 );
		foreach ( self::OBJECT_CACHES as $mark ) {
			if ( false !== strpos( $head, $mark ) ) {
				return true;
			}
		}
		return false;
	}

	/** W3 Total Cache keeps its settings as JSON behind a line that ends a PHP script. */
	private static function w3tc_keeps_pages_on_disk( string $content ): bool {
		$text = (string) @file_get_contents( "$content/w3tc-config/master.php" );
		$said = json_decode( (string) strstr( $text, '{' ), true );
		return is_array( $said ) && ! empty( $said['pgcache.enabled'] )
			&& 0 === strpos( (string) ( $said['pgcache.engine'] ?? 'file_generic' ), 'file' );
	}
}

if ( ! defined( 'ABSPATH' ) || ! function_exists( 'add_filter' ) ) {
	return; // the deep health check wants the rules alone
}

/** Applies the rules to a running WordPress. */
class WordPress_HA_Guard {

	private WordPress_HA_Guard_Rules $rules;

	/** Whether the object cache must be one of this collection's. */
	private bool $own_object_cache;

	public function __construct( array $settings ) {
		$this->rules            = new WordPress_HA_Guard_Rules( (array) ( $settings['allowed'] ?? array() ) );
		$this->own_object_cache = ! empty( $settings['own_object_cache'] );
	}

	public function listen(): void {
		// What is in the database is not loaded, and goes when somebody else is activated.
		add_filter( 'option_active_plugins', array( $this, 'without_refused' ) );
		add_filter( 'pre_update_option_active_plugins', array( $this, 'without_refused' ) );
		add_filter( 'site_option_active_sitewide_plugins', array( $this, 'without_refused_keys' ) );
		add_filter( 'pre_update_site_option_active_sitewide_plugins', array( $this, 'without_refused_keys' ) );

		// Before WordPress includes the file to see whether it works.
		add_action( 'load-plugins.php', array( $this, 'stop_the_dashboard' ) );
		add_filter( 'rest_request_before_callbacks', array( $this, 'stop_rest' ), 10, 3 );
		// Whoever else asks: before the plugin's own activation, which writes drop-ins and tables.
		add_action( 'activate_plugin', array( $this, 'stop' ) );
		add_action( 'activated_plugin', array( $this, 'note_activation' ) );
		add_filter( 'upgrader_source_selection', array( $this, 'stop_installation' ), 10, 4 );

		add_filter( 'plugin_action_links', array( $this, 'links' ), 10, 2 );
		add_filter( 'network_admin_plugin_action_links', array( $this, 'links' ), 10, 2 );
		add_action( 'admin_notices', array( $this, 'notice' ) );
		add_action( 'network_admin_notices', array( $this, 'notice' ) );
		add_filter( 'site_status_tests', array( $this, 'site_health_tests' ) );
	}

	/** @param mixed $plugins Files of plugins. */
	public function without_refused( $plugins ) {
		return is_array( $plugins ) ? array_values( array_filter( $plugins, fn( $file ) => ! $this->is_refused( $file ) ) ) : $plugins;
	}

	/** @param mixed $plugins Times by files of plugins. */
	public function without_refused_keys( $plugins ) {
		return is_array( $plugins ) ? array_filter( $plugins, fn( $file ) => ! $this->is_refused( $file ), ARRAY_FILTER_USE_KEY ) : $plugins;
	}

	private function is_refused( $file ): bool {
		return is_string( $file ) && $this->rules->refuses( $file );
	}

	public function message( string $file ): string {
		$name = WordPress_HA_Guard_Rules::name( $file );
		return "$name is refused on this site, which several nodes serve. " . WordPress_HA_Guard_Rules::WHY[ WordPress_HA_Guard_Rules::kind( $file ) ]
			. " If it must be, the operator of the stack can allow it by wordpress_ha_guard, with a reason.";
	}

	public function stop_the_dashboard(): void {
		$action = sanitize_key( wp_unslash( $_REQUEST['action'] ?? '' ) );
		$action = '-1' === $action || '' === $action ? sanitize_key( wp_unslash( $_REQUEST['action2'] ?? '' ) ) : $action;
		if ( ! in_array( $action, array( 'activate', 'activate-selected', 'error_scrape' ), true ) ) {
			return;
		}
		foreach ( array_merge( (array) ( $_REQUEST['plugin'] ?? array() ), (array) ( $_REQUEST['checked'] ?? array() ) ) as $file ) {
			$this->stop( (string) wp_unslash( $file ) );
		}
	}

	/** Refuse a plugin in the words of whoever asks. */
	public function stop( $file ): void {
		if ( ! $this->is_refused( $file ) ) {
			return;
		}
		$this->log( $file, 'refused' );
		if ( defined( 'WP_CLI' ) && WP_CLI ) {
			WP_CLI::error( $this->message( $file ) );
		}
		wp_die( esc_html( $this->message( $file ) ), 'Refused', array( 'response' => 403, 'back_link' => true ) );
	}

	/** @param mixed $response What is answered instead, if anything. */
	public function stop_rest( $response, $handler, WP_REST_Request $request ) {
		$is_activation = in_array( $request['status'] ?? '', array( 'active', 'network-active' ), true );
		if ( 0 !== strpos( $request->get_route(), '/wp/v2/plugins' ) || 'GET' === $request->get_method() ) {
			return $response;
		}
		$file = (string) ( $request['plugin'] ?? '' );
		$slug = (string) ( $request['slug'] ?? '' );
		foreach ( array( $is_activation && '' !== $file ? "$file.php" : '', '' !== $slug ? "$slug/$slug.php" : '' ) as $asked ) {
			if ( '' !== $asked && $this->is_refused( $asked ) ) {
				$this->log( $asked, 'refused' );
				return new WP_Error( 'wordpress_ha_refused', $this->message( $asked ), array( 'status' => 403 ) );
			}
		}
		return $response;
	}

	/** Refuse the folder of a plugin before it is copied into its place. */
	public function stop_installation( $source, $remote_source, $upgrader, $extra = array() ) {
		$is_new = 'install' === ( $extra['action'] ?? '' ) && 'plugin' === ( $extra['type'] ?? '' );
		$file   = is_string( $source ) ? basename( untrailingslashit( $source ) ) . '/' : '';
		if ( ! $is_new || ! $this->is_refused( $file ) ) {
			return $source;
		}
		$this->log( $file, 'refused' );
		return new WP_Error( 'wordpress_ha_refused', $this->message( $file ) );
	}

	/** The audit of what is allowed: who switched it on, and for which reason it may be. */
	public function note_activation( $file ): void {
		if ( is_string( $file ) && '' !== WordPress_HA_Guard_Rules::kind( $file ) ) {
			$this->log( $file, 'activated, allowed for this reason: ' . $this->rules->permission( WordPress_HA_Guard_Rules::name( $file ) ) );
		}
	}

	private function log( string $file, string $what ): void {
		$user = function_exists( 'wp_get_current_user' ) ? wp_get_current_user()->user_login : '';
		$who  = '' !== (string) $user ? $user : ( PHP_SAPI === 'cli' ? 'a command line' : 'nobody known' );
		error_log( sprintf( 'wordpress_ha guard: %s by %s: %s', WordPress_HA_Guard_Rules::name( $file ), $who, $what ) );
	}

	/** @param mixed $links Links below a plugin's name. */
	public function links( $links, $file ) {
		if ( is_array( $links ) && $this->is_refused( $file ) ) {
			unset( $links['activate'] );
			$links = array( 'wordpress-ha' => esc_html( 'Refused: ' . WordPress_HA_Guard_Rules::WHY[ WordPress_HA_Guard_Rules::kind( $file ) ] ) ) + $links;
		}
		return $links;
	}

	/** What this site has, as the database and the disk say, whatever was filtered. */
	public function findings(): array {
		global $wpdb;
		$plugins = maybe_unserialize( $wpdb->get_var( "SELECT option_value FROM {$wpdb->options} WHERE option_name = 'active_plugins'" ) );
		$plugins = is_array( $plugins ) ? $plugins : array();
		if ( is_multisite() ) {
			$network = maybe_unserialize( $wpdb->get_var( "SELECT meta_value FROM {$wpdb->sitemeta} WHERE meta_key = 'active_sitewide_plugins'" ) );
			$plugins = array_merge( $plugins, is_array( $network ) ? array_map( 'strval', array_keys( $network ) ) : array() );
		}
		return $this->rules->findings( array_unique( $plugins ), WP_CONTENT_DIR, defined( 'WP_CACHE' ) && WP_CACHE, $this->own_object_cache );
	}

	public static function sentence( array $one ): string {
		return '' === $one['allowed'] ? "{$one['name']}: {$one['why']}" : "{$one['name']} is allowed by the operator: {$one['allowed']}";
	}

	public function notice(): void {
		$screen = get_current_screen();
		if ( ! current_user_can( 'activate_plugins' ) || ! $screen || ! in_array( $screen->base, array( 'dashboard', 'plugins', 'plugins-network', 'dashboard-network' ), true ) ) {
			return;
		}
		foreach ( $this->findings() as $one ) {
			printf(
				'<div class="notice notice-%s"><p>%s</p></div>',
				'' === $one['allowed'] ? 'error' : 'warning',
				esc_html( self::sentence( $one ) )
			);
		}
	}

	/** @param mixed $tests Site Health's tests. */
	public function site_health_tests( $tests ) {
		$tests['direct']['wordpress_ha_guard'] = array(
			'label' => 'Plugins that several nodes cannot have',
			'test'  => array( $this, 'site_health' ),
		);
		return $tests;
	}

	public function site_health(): array {
		$found   = $this->findings();
		$refused = array_filter( $found, fn( $one ) => '' === $one['allowed'] );
		return array(
			'label'       => $refused ? 'There is something that several nodes cannot have' : 'Nothing here hinders several nodes',
			'status'      => $refused ? 'critical' : ( $found ? 'recommended' : 'good' ),
			'badge'       => array( 'label' => 'WordPress HA', 'color' => 'blue' ),
			'description' => '<p>' . ( $found ? implode( '</p><p>', array_map( fn( $one ) => esc_html( self::sentence( $one ) ), $found ) ) : 'No page cache, no backup plugin, no foreign drop-in.' ) . '</p>',
			'actions'     => '',
			'test'        => 'wordpress_ha_guard',
		);
	}
}

$GLOBALS['wordpress_ha_guard'] = new WordPress_HA_Guard( defined( 'WORDPRESS_HA_GUARD' ) ? WORDPRESS_HA_GUARD : array() );
$GLOBALS['wordpress_ha_guard']->listen();

if ( defined( 'WP_CLI' ) && WP_CLI ) {
	WP_CLI::add_command(
		'wordpress-ha guard',
		/**
		 * Names the page caches, backup plugins and foreign drop-ins of this site. Ends with 1 if one of them is not allowed.
		 *
		 * ## OPTIONS
		 *
		 * [--format=<format>]
		 * : `table`, `json`, `yaml` or `csv`.
		 * ---
		 * default: table
		 * ---
		 *
		 * ## EXAMPLES
		 *
		 *     wp wordpress-ha guard --format=json
		 */
		function ( array $unused, array $options ) {
			$found = $GLOBALS['wordpress_ha_guard']->findings();
			WP_CLI\Utils\format_items( $options['format'] ?? 'table', $found, array( 'name', 'kind', 'allowed', 'why' ) );
			WP_CLI::halt( array_filter( $found, fn( $one ) => '' === $one['allowed'] ) ? 1 : 0 );
		}
	);
}
