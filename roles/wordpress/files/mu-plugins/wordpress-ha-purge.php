<?php
/**
 * Plugin Name: WordPress HA purge
 * Description: Tells this node's purge agent which pages a change made stale, so that the edge fetches them anew.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How it behaves:
 *
 * - During a request it only takes notes. At its very end one small file is written to a folder in this node's memory and renamed
 *   there at once; the agent does the rest. Nothing is asked over the network, and without the folder nothing happens at all.
 * - A post's old address is noted before the change, its new one is found afterwards: a page that moved goes from both places.
 * - A change that shows on every page (theme, menu, widget, site option) makes the whole site stale.
 * - A page's path ends with `*`, because its variants with a query string are objects of their own at the edge.
 *
 * For other plugins: do_action( 'wordpress_ha_purge', array( '/some/path/', '/prefix/*' ) ) and the filter wordpress_ha_purge_paths.
 *
 * @package wordpress_ha
 */

defined( 'ABSPATH' ) || exit;

/** Notes what became stale in this request, and hands it over at the end. */
class WordPress_HA_Purge {

	/** Where the agent looks: tmpfs, writable for PHP. */
	const SPOOL = '/run/wordpress_ha/purge';

	/** Changed posts in one request above which it is cheaper to name the whole site: an import, a bulk edit. */
	const MOST_POSTS = 50;

	/** Paths above which the whole site is named. */
	const MOST_PATHS = 500;

	/** Posts that are part of every page: templates, styles, menus and synced patterns. */
	const SITE_WIDE_TYPES = array(
		'custom_css',
		'nav_menu_item',
		'wp_block',
		'wp_global_styles',
		'wp_navigation',
		'wp_template',
		'wp_template_part',
	);

	/** Options that every page may show; those of themes and widgets are known by their prefix. */
	const SITE_WIDE_OPTIONS = array(
		'active_plugins',
		'blog_public',
		'blogdescription',
		'blogname',
		'category_base',
		'comment_order',
		'comments_per_page',
		'date_format',
		'default_comments_page',
		'gmt_offset',
		'home',
		'page_comments',
		'page_for_posts',
		'page_on_front',
		'permalink_structure',
		'posts_per_page',
		'posts_per_rss',
		'rss_use_excerpt',
		'show_avatars',
		'show_on_front',
		'sidebars_widgets',
		'site_icon',
		'site_logo',
		'siteurl',
		'start_of_week',
		'sticky_posts',
		'stylesheet',
		'tag_base',
		'template',
		'thread_comments',
		'thread_comments_depth',
		'time_format',
		'timezone_string',
		'WPLANG',
	);

	const SITE_WIDE_PREFIXES = '/^(theme_mods_|widget_)/';

	/** Stale paths, as keys. */
	private array $paths = array();

	/** Posts to find the addresses of at the end, per site of a network: site id to post ids, as keys. */
	private array $posts = array();

	/** Whether the hand-over at the end of the request is arranged. */
	private bool $is_arranged = false;

	private string $spool;

	public function __construct( string $spool = self::SPOOL ) {
		$this->spool = $spool;
	}

	/** Listen to what changes pages. */
	public function listen(): void {
		add_action( 'pre_post_update', array( $this, 'post_will_change' ) );
		add_action( 'wp_trash_post', array( $this, 'post_will_change' ) );
		add_action( 'before_delete_post', array( $this, 'post_will_change' ) );
		add_action( 'transition_post_status', array( $this, 'post_changed' ), 10, 3 );
		add_action( 'wp_after_insert_post', array( $this, 'post_saved' ), 10, 2 );
		add_action( 'set_object_terms', array( $this, 'post_terms_changed' ), 10, 6 );

		add_action( 'delete_attachment', array( $this, 'file_changed' ) );
		add_action( 'edit_attachment', array( $this, 'file_changed' ) );

		add_action( 'transition_comment_status', array( $this, 'comment_status_changed' ), 10, 3 );
		add_action( 'wp_insert_comment', array( $this, 'comment_changed' ), 10, 2 );
		add_action( 'edit_comment', array( $this, 'comment_changed' ) );
		add_action( 'delete_comment', array( $this, 'comment_changed' ), 10, 2 );

		add_action( 'created_term', array( $this, 'term_created' ), 10, 3 );
		add_action( 'edited_term', array( $this, 'term_changed' ), 10, 3 );
		add_action( 'delete_term', array( $this, 'term_changed' ), 10, 3 );
		add_action( 'profile_update', array( $this, 'author_changed' ), 10, 2 );

		foreach ( array( 'updated_option', 'added_option', 'deleted_option' ) as $hook ) {
			add_action( $hook, array( $this, 'option_changed' ) );
		}
		foreach (
			array(
				'switch_theme',
				'customize_save_after',
				'permalink_structure_changed',
				'wp_update_nav_menu',
				'wp_delete_nav_menu',
				'upgrader_process_complete',
			) as $hook
		) {
			add_action( $hook, array( $this, 'whole_site' ), 10, 0 );
		}

		add_action( 'wordpress_ha_purge', array( $this, 'add' ) );
	}

	/*
	 * What other plugins, WP-CLI and the hooks below note.
	 */

	/**
	 * Note paths.
	 *
	 * @param string|string[] $paths Paths from the root of the domain, with `*` for any end.
	 */
	public function add( $paths ): void {
		foreach ( (array) $paths as $path ) {
			if ( is_string( $path ) && 0 === strpos( $path, '/' ) ) {
				$this->paths[ $path ] = true;
				$this->arrange();
			}
		}
	}

	/** Note that every page of the site is stale. */
	public function whole_site(): void {
		$this->add( $this->path_of( home_url( '/' ) ) . '*' );
	}

	/*
	 * Posts.
	 */

	/** Before a change: note where the post is now, and every page that lists it. */
	public function post_will_change( $post_id ): void {
		$post = get_post( $post_id );
		if ( ! $post || 'publish' !== $post->post_status ) {
			return;
		}
		if ( in_array( $post->post_type, self::SITE_WIDE_TYPES, true ) ) {
			$this->whole_site();
		} else {
			$this->add( $this->paths_of_post( $post ) );
		}
	}

	/** After a change of status: what is published now is looked at once more at the end, when its terms are set. */
	public function post_changed( $new_status, $old_status, $post ): void {
		if ( 'publish' === $new_status || 'publish' === $old_status ) {
			$this->remember( $post );
		}
	}

	public function post_saved( $post_id, $post ): void {
		if ( 'publish' === $post->post_status ) {
			$this->remember( $post );
		}
	}

	/** A published post left a term: the term's archive is stale. Those it has now are found at the end. */
	public function post_terms_changed( $object_id, $terms, $tt_ids, $taxonomy, $append, $old_tt_ids ): void {
		if ( ! $this->is_public_taxonomy( $taxonomy ) || 'publish' !== get_post_status( $object_id ) ) {
			return;
		}
		foreach ( array_diff( (array) $old_tt_ids, (array) $tt_ids ) as $tt_id ) {
			$term = get_term_by( 'term_taxonomy_id', $tt_id );
			if ( $term ) {
				$this->add( $this->paths_of_term( $term ) );
			}
		}
		$this->remember( get_post( $object_id ) );
	}

	/** A file of the media library goes, or its sizes are made anew: all sizes begin with the file's name. */
	public function file_changed( $post_id ): void {
		$url = wp_get_attachment_url( $post_id );
		if ( $url && $this->is_ours( $url ) ) {
			$this->add( preg_replace( '/(-scaled)?\.[^.\/]*$/', '', $this->path_of( $url ) ) . '*' );
		}
	}

	/*
	 * Comments.
	 */

	public function comment_status_changed( $new_status, $old_status, $comment ): void {
		if ( 'approved' === $new_status || 'approved' === $old_status ) {
			$this->add_comment( $comment );
		}
	}

	/** A comment was added, edited or is about to be deleted: only one that everybody sees matters. */
	public function comment_changed( $comment_id, $comment = null ): void {
		$comment = $comment instanceof WP_Comment ? $comment : get_comment( $comment_id );
		if ( $comment && '1' === (string) $comment->comment_approved ) {
			$this->add_comment( $comment );
		}
	}

	private function add_comment( WP_Comment $comment ): void {
		$post = get_post( (int) $comment->comment_post_ID );
		if ( $post && 'publish' === $post->post_status && is_post_type_viewable( $post->post_type ) ) {
			$this->add( $this->page( get_permalink( $post ) ) );
			$this->add( $this->page( get_feed_link( 'comments_rss2' ) ) );
		}
	}

	/*
	 * Terms, authors, options.
	 */

	/** A new term: its archive may be known to the edge as missing. */
	public function term_created( $term_id, $tt_id, $taxonomy ): void {
		$term = $this->is_public_taxonomy( $taxonomy ) ? get_term( $term_id, $taxonomy ) : null;
		if ( $term instanceof WP_Term ) {
			$this->add( $this->paths_of_term( $term ) );
		}
	}

	/** A term's name and address stand on every page that shows one of its posts. */
	public function term_changed( $term_id, $tt_id, $taxonomy ): void {
		if ( $this->is_public_taxonomy( $taxonomy ) ) {
			$this->whole_site();
		}
	}

	/** So do an author's name and address. */
	public function author_changed( $user_id, $before ): void {
		$user = get_userdata( $user_id );
		if ( $user && ( $user->display_name !== $before->display_name || $user->user_nicename !== $before->user_nicename ) ) {
			$this->whole_site();
		}
	}

	public function option_changed( $option ): void {
		if ( in_array( $option, self::SITE_WIDE_OPTIONS, true ) || preg_match( self::SITE_WIDE_PREFIXES, $option ) ) {
			$this->whole_site();
		}
	}

	/*
	 * Which paths show a post.
	 */

	private function remember( $post ): void {
		if ( ! $post instanceof WP_Post || wp_is_post_revision( $post ) ) {
			return;
		}
		if ( in_array( $post->post_type, self::SITE_WIDE_TYPES, true ) ) {
			$this->whole_site();
		} elseif ( is_post_type_viewable( $post->post_type ) ) {
			$this->posts[ get_current_blog_id() ][ $post->ID ] = true;
			$this->arrange();
		}
	}

	/**
	 * All paths that show a published post: its own, the front page, archives, feeds, the sitemap.
	 *
	 * @return string[]
	 */
	private function paths_of_post( WP_Post $post ): array {
		if ( ! is_post_type_viewable( $post->post_type ) ) {
			return array();
		}
		$paths = $this->front();
		$paths = array_merge( $paths, $this->page( get_permalink( $post ) ) );
		foreach ( get_object_taxonomies( $post ) as $taxonomy ) {
			$terms = $this->is_public_taxonomy( $taxonomy ) ? get_the_terms( $post, $taxonomy ) : array();
			foreach ( is_array( $terms ) ? $terms : array() as $term ) {
				$paths = array_merge( $paths, $this->paths_of_term( $term ) );
			}
		}
		$paths = array_merge( $paths, $this->page( get_post_type_archive_link( $post->post_type ) ) );
		if ( 'post' === $post->post_type ) {
			$author = (int) $post->post_author;
			$paths  = array_merge( $paths, $author ? $this->page( get_author_posts_url( $author ) ) : array(), $this->dates( $post ) );
		}
		/**
		 * Filters which paths of the edge a published post shows on.
		 *
		 * @param string[] $paths Paths from the root of the domain, with `*` for any end.
		 * @param WP_Post  $post  The post.
		 */
		return (array) apply_filters( 'wordpress_ha_purge_paths', $paths, $post );
	}

	/** The front page, its further pages, the feed and the sitemap. */
	private function front(): array {
		$home  = $this->path_of( home_url( '/' ) );
		$paths = array( $home, $home . '?*', $home . 'page/*', $home . 'wp-sitemap*' );
		$paths = array_merge( $paths, $this->page( get_feed_link() ) );
		$posts = (int) get_option( 'page_for_posts' );
		return $posts ? array_merge( $paths, $this->page( get_permalink( $posts ) ) ) : $paths;
	}

	/** A term's archive, and those of the terms it belongs to, which list its posts too. */
	private function paths_of_term( WP_Term $term ): array {
		$paths = array();
		foreach ( array_merge( array( $term->term_id ), get_ancestors( $term->term_id, $term->taxonomy, 'taxonomy' ) ) as $term_id ) {
			$link  = get_term_link( $term_id, $term->taxonomy );
			$paths = array_merge( $paths, is_string( $link ) ? $this->page( $link ) : array() );
		}
		return $paths;
	}

	/** Archives by year, month and day: exactly these pages, since posts may stand below them. */
	private function dates( WP_Post $post ): array {
		list( $year, $month, $day ) = explode( ' ', mysql2date( 'Y m d', $post->post_date, false ) );
		return array_map(
			array( $this, 'path_of' ),
			array( get_year_link( $year ), get_month_link( $year, $month ), get_day_link( $year, $month, $day ) )
		);
	}

	/** The path of one page with all its variants; nothing for what is elsewhere, and never the whole site. */
	private function page( $url ): array {
		if ( ! is_string( $url ) || ! $this->is_ours( $url ) ) {
			return array();
		}
		$path = $this->path_of( $url );
		$home = $this->path_of( home_url( '/' ) );
		return $path === $home ? array( $home, $home . '?*' ) : array( $path . '*' );
	}

	/** The path of a URL from the root of its domain, with its query. */
	private function path_of( string $url ): string {
		$parts = wp_parse_url( $url );
		$path  = $parts['path'] ?? '/';
		return ( 0 === strpos( $path, '/' ) ? $path : '/' ) . ( isset( $parts['query'] ) ? '?' . $parts['query'] : '' );
	}

	/** Whether a URL is of this site: plugins let a post's address point elsewhere. */
	private function is_ours( string $url ): bool {
		$host = wp_parse_url( $url, PHP_URL_HOST );
		return ! $host || wp_parse_url( home_url(), PHP_URL_HOST ) === $host;
	}

	private function is_public_taxonomy( $taxonomy ): bool {
		return is_taxonomy_viewable( $taxonomy );
	}

	/*
	 * The hand-over.
	 */

	private function arrange(): void {
		if ( ! $this->is_arranged ) {
			$this->is_arranged = true;
			add_action( 'shutdown', array( $this, 'hand_over' ), PHP_INT_MAX );
		}
	}

	/** The request's last act. Whatever goes wrong here, it has been answered as it should be. */
	public function hand_over(): void {
		$this->is_arranged = false;
		try {
			$this->find_posts();
			$this->write();
		} catch ( Throwable $error ) {
			error_log( 'WordPress HA purge: ' . $error->getMessage() );
		}
	}

	/** Find where the remembered posts are now. */
	private function find_posts(): void {
		foreach ( $this->posts as $site_id => $posts ) {
			$is_elsewhere = is_multisite() && get_current_blog_id() !== $site_id;
			if ( $is_elsewhere ) {
				switch_to_blog( $site_id );
			}
			if ( count( $posts ) > self::MOST_POSTS ) {
				$this->whole_site();
				$posts = array();
			}
			foreach ( array_keys( $posts ) as $post_id ) {
				$this->post_will_change( $post_id );
			}
			if ( $is_elsewhere ) {
				restore_current_blog();
			}
		}
		$this->posts = array();
	}

	/** Write one file, complete or not at all; true if the agent will find it. */
	public function write(): bool {
		$paths       = array_map( 'strval', array_keys( $this->paths ) );
		$this->paths = array();
		if ( ! $paths || ! is_dir( $this->spool ) || ! is_writable( $this->spool ) ) {
			return false;
		}
		if ( isset( $paths[ self::MOST_PATHS ] ) ) {
			$paths = array( '/*' );
		}
		$name    = $this->spool . '/' . bin2hex( random_bytes( 12 ) );
		$content = wp_json_encode( array( 'paths' => $paths ), JSON_UNESCAPED_SLASHES );
		// The agent has PHP's group, and what root's WP-CLI writes has it by the folder's set-group-id bit.
		if ( strlen( $content ) !== @file_put_contents( "$name.new", $content ) || ! @chmod( "$name.new", 0640 ) ) {
			@unlink( "$name.new" );
			return false;
		}
		return @rename( "$name.new", "$name.json" );
	}
}

$GLOBALS['wordpress_ha_purge'] = new WordPress_HA_Purge();
$GLOBALS['wordpress_ha_purge']->listen();

if ( defined( 'WP_CLI' ) && WP_CLI ) {
	WP_CLI::add_command(
		'wordpress-ha purge',
		/**
		 * Lets the edge fetch pages anew.
		 *
		 * ## OPTIONS
		 *
		 * [<path>...]
		 * : Paths from the root of the domain, with `*` for any end. Without one, the whole site.
		 *
		 * ## EXAMPLES
		 *
		 *     wp wordpress-ha purge
		 *     wp wordpress-ha purge /about/ '/shop/*'
		 */
		function ( array $paths ) {
			foreach ( $paths as $path ) {
				if ( 0 !== strpos( $path, '/' ) ) {
					WP_CLI::error( "$path: a path begins with /, as in /about/ or '/shop/*'." );
				}
			}
			$purge = new WordPress_HA_Purge();
			if ( $paths ) {
				$purge->add( $paths );
			} else {
				$purge->whole_site();
			}
			if ( ! $purge->write() ) {
				WP_CLI::error( WordPress_HA_Purge::SPOOL . ' is not there or may not be written: is this a node, and are you its web user?' );
			}
			WP_CLI::success( 'Handed over to the purge agent; see journalctl -u wordpress-ha-purge.' );
		}
	);
}
