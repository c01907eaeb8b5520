<?php
/**
 * Plugin Name: WordPress HA code
 * Description: Tells the fleet's nodes when code was changed, so that each of them takes the change over as a whole.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How it behaves:
 *
 * - The truth, on the shared files, is what is changed; visitors are served from each node's own copy. From the first file that a change
 *   touches until it is over there is a file in `changing/`, while which no node takes code over: half a plugin reaches no visitor.
 * - When the change is over, and only then, the marker `generation` is replaced. Nodes look at it every second.
 * - A request that dies leaves its file in `changing/`; nodes ignore it after ten minutes, and their scan finds what had been changed.
 * - On a node's own copy nothing can be changed: what would try is refused with a message that says where it works.
 * - Archives are unpacked, and folders listed and removed, by many threads of the node's copy service: one after another, each file costs
 *   several round trips (P1). What the service cannot do WordPress does itself, and says what is wrong in its own words.
 *
 * Whoever changes code by other means calls do_action( 'wordpress_ha_code_changed', array( 'wp-content/plugins/mine' ) ) afterwards.
 *
 * @package wordpress_ha
 */

defined( 'ABSPATH' ) || exit;

/** Notes which code a request changes and tells the nodes at its end. */
class WordPress_HA_Code {

	/** Seconds within which every node serves what the marker announces. */
	const TAKE_OVER = 5;

	/** Seconds for which the author of a change is served from the truth after it; and from its begin, when it may last. */
	const AUTHOR_AFTER = 30;
	const AUTHOR_FROM  = 120;

	/** Changed paths that a marker names at most; with more, nodes look at everything. */
	const MOST_PATHS = 200;

	/** Bytes above which a downloaded archive is left to WordPress: the copy service gets it through this node's memory. */
	const MOST_IN_MEMORY = 134217728;

	/** What browsers ask of admin-ajax.php to change code. */
	const AJAX = array( 'install-plugin', 'update-plugin', 'delete-plugin', 'install-theme', 'update-theme', 'delete-theme', 'edit-theme-plugin-file' );

	/** Pages of the dashboard that change code; `themes.php` and `plugins.php` only with an action. */
	const PAGES = array( 'update.php', 'update-core.php', 'plugin-editor.php', 'theme-editor.php' );

	private string $truth;
	private string $state;
	private string $docroot;
	private string $run;

	/** This request's file in `changing/`, while a change is under way. */
	private string $changing = '';

	/** Changed paths relative to the site's root, as keys; null for all of it. */
	private ?array $paths = array();

	/** What changed, in words, as keys. */
	private array $reasons = array();

	private bool $is_arranged = false;

	/** Whether the copy service did not answer: it is not asked again in this request. */
	private bool $is_alone = false;

	public function __construct( string $root = '/srv/wordpress', string $run = '/run/wordpress_ha' ) {
		$this->truth   = $root . '/shared/site';
		$this->state   = $root . '/shared/state';
		$this->docroot = $root . '/docroot';
		$this->run     = $run;
	}

	/** Listen to what changes code. */
	public function listen(): void {
		// 1: before WordPress itself answers, which ends the request.
		foreach ( self::AJAX as $action ) {
			add_action( "wp_ajax_$action", array( $this, 'ajax_begins' ), 1 );
		}
		add_action( 'admin_init', array( $this, 'page_begins' ), 1 );
		add_filter( 'rest_pre_dispatch', array( $this, 'rest_begins' ), 1, 3 );

		add_filter( 'upgrader_pre_download', array( $this, 'package_begins' ), 1, 3 );
		add_filter( 'upgrader_pre_install', array( $this, 'install_begins' ), 1, 2 );
		add_filter( 'upgrader_clear_destination', array( $this, 'cleared' ), 1, 3 );
		add_filter( 'upgrader_post_install', array( $this, 'installed' ), 999, 3 );
		add_action( 'upgrader_process_complete', array( $this, 'process_ended' ), 1, 2 );
		add_action( 'delete_plugin', array( $this, 'plugin_goes' ), 1 );
		add_action( 'delete_theme', array( $this, 'theme_goes' ), 1 );
		add_action( 'wordpress_ha_code_changed', array( $this, 'changed' ) );

		add_filter( 'pre_update_option_template', array( $this, 'theme_is_chosen' ), 10, 2 );
		add_filter( 'pre_update_option_stylesheet', array( $this, 'theme_is_chosen' ), 10, 2 );

		add_filter( 'pre_unzip_file', array( $this, 'unzip' ), 10, 4 );
	}

	/*
	 * Where this request runs.
	 */

	/** Whether this request runs on the truth, where code may be changed. */
	public function is_truth(): bool {
		return realpath( ABSPATH ) === realpath( $this->truth );
	}

	/** Whether visitors are served from copies, which have to take a change over. */
	private function has_copies(): bool {
		$served = realpath( $this->docroot );
		return false !== $served && realpath( $this->truth ) !== $served;
	}

	private function refusal(): string {
		if ( defined( 'DISALLOW_FILE_MODS' ) && DISALLOW_FILE_MODS ) {
			return 'This site runs an immutable release: its code is changed by deploying the next one, with the play wordpress_ha.aws.deploy.';
		}
		return sprintf(
			'Nothing was changed: this request runs on a node\'s own copy of the code, which no other node would see. Change code in the dashboard, or on the shared files in %1$s (with WP-CLI: wp --path=%1$s).',
			$this->truth
		);
	}

	/*
	 * What changes code.
	 */

	public function ajax_begins(): void {
		$this->author( self::AUTHOR_FROM );
		if ( 'wp_ajax_edit-theme-plugin-file' === current_action() ) {
			$this->editor_begins();
		}
	}

	public function page_begins(): void {
		$page = $GLOBALS['pagenow'] ?? '';
		// phpcs:disable WordPress.Security.NonceVerification -- only looked at; WordPress itself checks who may.
		$has_action = isset( $_REQUEST['action'] ) && ! in_array( $_REQUEST['action'], array( '', '-1' ), true );
		if ( in_array( $page, self::PAGES, true ) || ( $has_action && in_array( $page, array( 'plugins.php', 'themes.php' ), true ) ) ) {
			if ( $has_action && ! wp_doing_ajax() ) {
				$this->author( self::AUTHOR_FROM );
			}
			if ( preg_match( '/^(plugin|theme)-editor\.php$/', $page ) && 'POST' === ( $_SERVER['REQUEST_METHOD'] ?? '' ) && isset( $_POST['newcontent'] ) ) {
				$this->editor_begins();
			}
		}
		// phpcs:enable
	}

	/** The editor asks this site itself whether its change breaks it: that request has to see the change. */
	private function editor_begins(): void {
		if ( ! $this->is_truth() ) {
			$this->stop();
		}
		$_COOKIE['wordpress_ha_author'] = '1';
		// phpcs:ignore WordPress.Security.NonceVerification, WordPress.Security.ValidatedSanitizedInput -- names a folder that is looked at anew.
		$edited = ! empty( $_POST['plugin'] ) ? 'plugins/' . dirname( wp_unslash( $_POST['plugin'] ) ) : 'themes/' . wp_unslash( $_POST['theme'] ?? '' );
		$this->begin( 'editor' );
		$this->touched( WP_CONTENT_DIR . '/' . preg_replace( '/\/\.$|\.\.+/', '', $edited ) );
	}

	public function rest_begins( $result, $server, $request ) {
		if ( 'GET' !== $request->get_method() && preg_match( '/^\/wp\/v2\/(plugins|themes|block-directory)/', $request->get_route() ) ) {
			$this->author( self::AUTHOR_FROM );
		}
		return $result;
	}

	/** A package is about to be fetched: the last moment at which nothing has happened yet. */
	public function package_begins( $reply, $package, $upgrader ) {
		if ( is_wp_error( $reply ) ) {
			return $reply;
		}
		if ( ! $this->is_truth() ) {
			return new WP_Error( 'wordpress_ha_copy', $this->refusal() );
		}
		if ( $upgrader instanceof Core_Upgrader ) { // asks nothing between this and its first file
			$this->begin( 'core' );
			$this->paths = null;
		}
		$this->hasten();
		return $reply;
	}

	/** A package is unpacked and checked, its files are about to be put in place. */
	public function install_begins( $response, $extra ) {
		if ( ! is_wp_error( $response ) ) {
			$this->begin( $extra['type'] ?? ( isset( $extra['plugin'] ) ? 'plugin' : ( isset( $extra['theme'] ) ? 'theme' : 'package' ) ) );
			// The folder that stands there is removed first, even if the installation then fails.
			foreach ( array( 'plugin' => WP_PLUGIN_DIR, 'theme' => get_theme_root() ) as $kind => $root ) {
				if ( ! empty( $extra[ $kind ] ) ) {
					$name = 'plugin' === $kind && '.' !== dirname( $extra[ $kind ] ) ? dirname( $extra[ $kind ] ) : $extra[ $kind ];
					$this->touched( $root . '/' . $name );
				}
			}
		}
		return $response;
	}

	/** The folder that stands there is gone, whatever becomes of the new one. */
	public function cleared( $removed, $local, $remote ) {
		$this->touched( (string) $remote );
		return $removed;
	}

	public function installed( $response, $extra, $result ) {
		$this->touched( $result['destination'] ?? '' );
		$this->note_plugin( untrailingslashit( (string) ( $result['destination'] ?? '' ) ) );
		return $response;
	}

	/** Any upgrader of WordPress or of a plugin is through: what it named nowhere else is found by looking at everything. */
	public function process_ended( $upgrader, $extra ): void {
		if ( '' === $this->changing ) {
			return;
		}
		$this->reasons[ trim( ( $extra['type'] ?? '' ) . ' ' . ( $extra['action'] ?? '' ) ) ] = true;
		$this->hold();
	}

	public function plugin_goes( $plugin ): void {
		if ( ! $this->is_truth() ) {
			$this->stop();
		}
		$this->begin( 'plugin delete' );
		$path = WP_PLUGIN_DIR . '/' . ( '.' === dirname( $plugin ) ? $plugin : dirname( $plugin ) );
		$this->touched( $path );
		$this->clear( $path );
	}

	public function theme_goes( $stylesheet ): void {
		if ( ! $this->is_truth() ) {
			$this->stop();
		}
		$this->begin( 'theme delete' );
		$path = get_theme_root( $stylesheet ) . '/' . $stylesheet;
		$this->touched( $path );
		$this->clear( $path );
	}

	/**
	 * Code was changed by other means.
	 *
	 * @param string[] $paths Changed files or folders relative to the site's root; empty for all of it.
	 */
	public function changed( $paths = array() ): void {
		$this->begin( 'told' );
		foreach ( (array) $paths as $path ) {
			$this->touched( ABSPATH . $path );
		}
		if ( ! $paths ) {
			$this->paths = null;
		}
	}

	/**
	 * Another theme is chosen. Visitors of a node that lacks it would get empty pages, so it is chosen when the nodes have it: at once,
	 * unless it came within the last seconds.
	 */
	public function theme_is_chosen( $value, $old ) {
		if ( $value !== $old && is_string( $value ) && $this->is_truth() && $this->has_copies() ) {
			$theme = get_theme_root( $value ) . '/' . $value;
			$copy  = $this->docroot . '/' . $this->relative( $theme );
			clearstatcache();
			if ( '' !== $this->changing || ! is_dir( $copy ) ) {
				$this->begin( 'theme switch' );
				$this->touched( $theme );
				$this->end();
			}
			$this->wait( $copy );
		}
		return $value;
	}

	/** Wait until every node has had the time to take the newest marker over, and this one has the folder. */
	private function wait( string $folder ): void {
		$marker = $this->marker();
		$until  = (float) ( $marker['at'] ?? 0 ) + self::TAKE_OVER;
		$last   = microtime( true ) + 4 * self::TAKE_OVER;
		while ( microtime( true ) < min( $until, $last ) || ( ! is_dir( $folder ) && microtime( true ) < $last ) ) {
			usleep( 200000 );
			clearstatcache( true );
		}
	}

	/*
	 * The change as the nodes see it.
	 */

	/** Note that files are about to be changed. */
	private function begin( string $reason ): void {
		$this->reasons[ $reason ] = true;
		if ( '' === $this->changing && $this->is_truth() && is_dir( $this->state . '/changing' ) ) {
			$this->changing = $this->state . '/changing/' . bin2hex( random_bytes( 12 ) );
			if ( ! $this->is_arranged ) {
				// After WordPress's own, which puts back what an upgrader that failed has moved away.
				$this->is_arranged = true;
				register_shutdown_function( array( $this, 'end' ) );
			}
		}
		$this->hold();
	}

	/** A change that lasts is not to be taken for one that died. */
	private function hold(): void {
		if ( '' !== $this->changing && false === @file_put_contents( $this->changing, (string) getmypid() ) ) {
			error_log( 'WordPress HA code: ' . $this->changing . ' cannot be written, so nodes may take half a change over.' );
		}
	}

	/** Note a changed file or folder of the site. */
	private function touched( string $path ): void {
		$relative = $this->relative( $path );
		if ( null === $this->paths || '' === $path ) {
			return;
		}
		if ( '' === $relative ) {
			$this->paths = null;
		} else {
			$this->paths[ $relative ] = true;
		}
	}

	/** A path relative to the site's root; empty if it is the root or elsewhere. */
	private function relative( string $path ): string {
		$path = trailingslashit( wp_normalize_path( $path ) );
		foreach ( array( ABSPATH, $this->truth, realpath( $this->truth ) ) as $root ) {
			$root = trailingslashit( wp_normalize_path( (string) $root ) );
			if ( 0 === strpos( $path, $root ) ) {
				return rtrim( substr( $path, strlen( $root ) ), '/' );
			}
		}
		return '';
	}

	/** The change is over: tell the nodes, then let them. Also what happens at the end of a request, whatever became of it. */
	public function end(): void {
		if ( '' === $this->changing ) {
			return;
		}
		$changing       = $this->changing;
		$this->changing = '';
		// An upload of what is there already, say, is asked about before anything is touched.
		if ( array() !== $this->paths && $this->announce() ) {
			$this->author( self::AUTHOR_AFTER );
		}
		@unlink( $changing );
		$this->paths   = array();
		$this->reasons = array();
	}

	/** Replace the marker, complete or not at all; false if it could not be written, and the nodes' scan has to find the change. */
	private function announce(): bool {
		$file   = $this->state . '/generation';
		$lock   = @fopen( $file . '.lock', 'c' );
		// Of two changes at once the later one has to know the earlier one, or a node that goes by its paths misses the other's.
		$locked = $lock && flock( $lock, LOCK_EX );
		$paths  = null === $this->paths || ! $locked || isset( array_keys( $this->paths )[ self::MOST_PATHS ] ) ? array() : array_keys( $this->paths );
		$marker = array(
			'generation' => sprintf( '%.6F-%s', microtime( true ), bin2hex( random_bytes( 4 ) ) ),
			'previous'   => $this->marker()['generation'] ?? '',
			'paths'      => array_map( 'strval', $paths ),
			'why'        => implode( ', ', array_filter( array_map( 'strval', array_keys( $this->reasons ) ) ) ),
			'at'         => round( microtime( true ), 3 ),
		);
		$new    = "$file." . bin2hex( random_bytes( 6 ) );
		$done   = false !== @file_put_contents( $new, wp_json_encode( $marker, JSON_UNESCAPED_SLASHES ) ) && @rename( $new, $file );
		if ( ! $done ) {
			@unlink( $new );
			error_log( "WordPress HA code: $file cannot be written; the nodes' scan will find the change within a minute." );
		}
		if ( $lock ) {
			fclose( $lock );
		}
		return $done;
	}

	/** What the marker says; empty if it says nothing. */
	private function marker(): array {
		$marker = json_decode( (string) @file_get_contents( $this->state . '/generation' ), true );
		return is_array( $marker ) ? $marker : array();
	}

	/** Serve this browser from the truth for a while: its user wants to see what he changed, or changes more. */
	private function author( int $seconds ): void {
		if ( ! headers_sent() && 'cli' !== PHP_SAPI ) {
			setcookie(
				'wordpress_ha_author',
				'1',
				array(
					'expires'  => time() + $seconds,
					'path'     => '/',
					'secure'   => is_ssl(),
					'httponly' => true,
					'samesite' => 'Lax',
				)
			);
		}
	}

	/** End a request that would change a node's own copy. */
	private function stop(): void {
		if ( defined( 'WP_CLI' ) && WP_CLI ) {
			WP_CLI::error( $this->refusal() );
		}
		wp_die( esc_html( $this->refusal() ), '', array( 'response' => 409, 'back_link' => true ) );
	}

	/*
	 * Many files at once.
	 */

	/** From a package on, WordPress works on files by an object of ours: as before, but for what costs round trips file by file. */
	private function hasten(): void {
		if ( ! isset( $GLOBALS['wp_filesystem'] ) || 'WP_Filesystem_Direct' !== get_class( $GLOBALS['wp_filesystem'] ) ) {
			return; // FTP, or somebody else's
		}
		$GLOBALS['wp_filesystem'] = new class( $this ) extends WP_Filesystem_Direct {
			private WordPress_HA_Code $code;

			/** The mode of what is being listed. */
			private ?int $mode = null;

			public function __construct( WordPress_HA_Code $code ) {
				parent::__construct( null );
				$this->code = $code;
			}

			public function delete( $file, $recursive = false, $type = false ) {
				return ( $recursive && 'f' !== $type && $this->code->clear( (string) $file ) ) || parent::delete( $file, $recursive, $type );
			}

			/** A folder that is to be unpacked into is made with those beside it, by the unpacking. */
			public function mkdir( $path, $chmod = false, $chown = false, $chgrp = false ) {
				$caller = debug_backtrace( DEBUG_BACKTRACE_IGNORE_ARGS, 2 )[1]['function'] ?? ''; // phpcs:ignore WordPress.PHP.DevelopmentFunctions
				$later  = in_array( $caller, array( '_unzip_file_ziparchive', '_unzip_file_pclzip' ), true ) && $this->code->makes_folders( (string) $path );
				return $later || parent::mkdir( $path, $chmod, $chown, $chgrp );
			}

			public function dirlist( $path, $include_hidden = true, $recursive = false ) {
				$folders = $recursive ? $this->code->listing( (string) $path ) : null;
				return null === $folders ? parent::dirlist( $path, $include_hidden, $recursive ) : $this->arranged( $folders, '', $include_hidden );
			}

			/** What WordPress's own says of each file of a folder. */
			private function arranged( array $folders, string $folder, bool $include_hidden ): array {
				$list = array();
				foreach ( $folders[ $folder ] ?? array() as list( $name, $mode, $owner, $group, $size, $modified ) ) {
					if ( ! $include_hidden && '.' === $name[0] ) {
						continue;
					}
					$this->mode = $mode;
					$perms      = $this->gethchmod( $name );
					$this->mode = null;
					$is_folder  = 0040000 === ( $mode & 0170000 );
					$list[ $name ] = array(
						'name'        => $name,
						'perms'       => $perms,
						'permsn'      => $this->getnumchmodfromh( $perms ),
						'number'      => false,
						'owner'       => $this->name_of( 'posix_getpwuid', $owner ),
						'group'       => $this->name_of( 'posix_getgrgid', $group ),
						'size'        => $size,
						'lastmodunix' => $modified,
						'lastmod'     => gmdate( 'M j', $modified ),
						'time'        => gmdate( 'h:i:s', $modified ),
						'type'        => $is_folder ? 'd' : 'f',
					);
					if ( $is_folder ) {
						$list[ $name ]['files'] = $this->arranged( $folders, ltrim( "$folder/$name", '/' ), $include_hidden );
					}
				}
				return $list;
			}

			public function getchmod( $file ) {
				return null === $this->mode ? parent::getchmod( $file ) : substr( decoct( $this->mode ), -3 );
			}

			private function name_of( string $kind, int $id ) {
				static $known = array();
				if ( ! isset( $known[ $kind ][ $id ] ) ) {
					$found                 = $id && function_exists( $kind ) ? $kind( $id ) : false;
					$known[ $kind ][ $id ] = $found ? $found['name'] : ( $id ? $id : false );
				}
				return $known[ $kind ][ $id ];
			}
		};
	}

	/** Remove a folder of the truth with all that is in it; false if that is left to WordPress. */
	public function clear( string $folder ): bool {
		$folder = untrailingslashit( $folder );
		if ( 3 > count( explode( '/', $this->relative( $folder ) ) ) || ! is_dir( $folder ) || is_link( $folder ) ) {
			return false;
		}
		$is_gone = null !== $this->ask( array( 'delete' => $folder ) );
		clearstatcache( true );
		return $is_gone;
	}

	/** What is in a folder of the truth and in those below it, by folder; null if WordPress has to look itself. */
	public function listing( string $folder ): ?array {
		$answer = '' !== $this->relative( $folder ) && is_dir( $folder ) ? $this->ask( array( 'list' => untrailingslashit( $folder ) ) ) : null;
		return $answer['folders'] ?? null;
	}

	/** WordPress opens each PHP file of a new plugin to find the one with its name. Where that is known it opens one (P1). */
	private function note_plugin( string $folder ): void {
		$answer = WP_PLUGIN_DIR === dirname( $folder ) && function_exists( 'get_plugin_data' ) ? $this->ask( array( 'plugins' => $folder ) ) : null;
		if ( null === $answer ) {
			return;
		}
		$found = array();
		foreach ( $answer['names'] as $file ) {
			$data = get_plugin_data( "$folder/$file", false, false );
			if ( ! empty( $data['Name'] ) ) {
				$found[ plugin_basename( $file ) ] = $data;
			}
		}
		uasort( $found, '_sort_uname_callback' );
		// What get_plugins() keeps, for this request.
		$known = wp_cache_get( 'plugins', 'plugins' );
		$known = is_array( $known ) ? $known : array();
		$known[ '/' . basename( $folder ) ] = $found;
		wp_cache_set( 'plugins', $known, 'plugins' );
	}

	/** Whether `unzip` makes a folder that is to be unpacked into: nobody else has plans with it, and its mode is the usual one. */
	public function makes_folders( string $folder ): bool {
		$filters = $GLOBALS['wp_filter']['pre_unzip_file']->callbacks ?? array();
		return '' !== $this->relative( $folder ) && 1 === array_sum( array_map( 'count', $filters ) ) && 0755 === FS_CHMOD_DIR;
	}

	/**
	 * Let the node's copy service unpack an archive onto the shared files.
	 *
	 * @param null|true|WP_Error $done    What another filter has done.
	 * @param string             $file    The archive.
	 * @param string             $to      Where to unpack it.
	 * @param string[]           $folders Folders to be there before it is unpacked, each after the one it is in.
	 * @return null|true|WP_Error Null to have WordPress unpack it.
	 */
	public function unzip( $done, $file, $to, $folders = array() ) {
		if ( null !== $done || ! $this->is_truth() || '' === $this->relative( $to ) ) {
			return $done;
		}
		if ( $this->is_unpacked( $file, untrailingslashit( $to ) ) ) {
			return true;
		}
		// WordPress believes that they are there.
		foreach ( $folders as $folder ) {
			if ( ! is_dir( $folder ) && ! $GLOBALS['wp_filesystem']->mkdir( $folder, FS_CHMOD_DIR ) ) {
				return new WP_Error( 'mkdir_failed_ziparchive', __( 'Could not create directory.' ), $folder );
			}
		}
		return null;
	}

	private function is_unpacked( string $file, string $to ): bool {
		if ( '' !== $this->relative( $file ) ) {
			return null !== $this->ask( array( 'unzip' => realpath( $file ), 'to' => $to ) );
		}
		// PHP's own /tmp may be seen by nobody else: there the service finds no archive.
		$local = $this->run . '/unpack/' . bin2hex( random_bytes( 12 ) ) . '.zip';
		if ( filesize( $file ) > self::MOST_IN_MEMORY || ! is_dir( dirname( $local ) ) || ! @copy( $file, $local ) ) {
			return false;
		}
		$is_unpacked = null !== $this->ask( array( 'unzip' => $local, 'to' => $to ) );
		unlink( $local );
		return $is_unpacked;
	}

	/** Ask the node's copy service, which answers when all is done; null if it is not there or could not do it all. */
	private function ask( array $question ): ?array {
		$service = $this->is_alone ? false : @stream_socket_client( 'unix://' . $this->run . '/code.sock', $code, $message, 5 );
		if ( ! $service ) {
			return null;
		}
		stream_set_timeout( $service, 120 );
		fwrite( $service, wp_json_encode( $question, JSON_UNESCAPED_SLASHES ) . "\n" );
		$answer         = json_decode( (string) stream_get_contents( $service ), true );
		$this->is_alone = ! is_array( $answer );
		fclose( $service );
		if ( empty( $answer['ok'] ) ) {
			error_log( 'WordPress HA code: the copy service did not do it, so WordPress does: ' . ( $answer['error'] ?? 'no answer' ) );
			return null;
		}
		return $answer;
	}
}

$wordpress_ha_code = new WordPress_HA_Code();
$wordpress_ha_code->listen();
