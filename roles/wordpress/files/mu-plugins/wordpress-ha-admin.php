<?php
/**
 * Plugin Name: WordPress HA admin
 * Description: Keeps in the object cache what wp-admin counts anew for every page: posts by status and the months that have posts.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The list of posts asks the database four questions that WordPress never caches, and each reads the index of a post type from its beginning to its end.
 * Two of them can be answered by others without changing WordPress: what is kept names the moment at which WordPress last changed a post (`last_changed`),
 * is taken only while that moment is the same, and was read from the database after it. The author's posts and the comments that wait offer no way in.
 *
 * Plugins that write rows of posts by their own SQL do not tell WordPress. Here they do: a request that wrote some, and did not say so afterwards, says so
 * when it ends. That also keeps the answers right that WordPress itself keeps of such questions.
 *
 * @package wordpress_ha
 */

defined( 'ABSPATH' ) || exit;

/** Answers wp-admin's questions about posts from the object cache, while no post has changed. */
class WordPress_HA_Admin {

	const GROUP = 'wordpress_ha_admin';

	/** Seconds after which the database is asked in any case. */
	const LONGEST = HOUR_IN_SECONDS;

	/** By site: the moment of WordPress's last change when this request wrote posts. */
	private array $written = array();

	/** Moments of the last change before counts are read that are wanted and were not there, by their names in WordPress's cache. */
	private array $wanted = array();

	public function listen(): void {
		add_filter( 'query', array( $this, 'note_write' ), PHP_INT_MAX );
		add_action( 'shutdown', array( $this, 'tell' ), PHP_INT_MAX );
		add_action( 'load-edit.php', array( $this, 'lend_counts' ), PHP_INT_MAX );
		add_filter( 'wp_count_posts', array( $this, 'keep_counts' ), PHP_INT_MIN, 3 );
		add_filter( 'pre_months_dropdown_query', array( $this, 'months' ), 20, 2 );
	}

	/** Note that posts are about to be written; return the question as it is. */
	public function note_write( $query ) {
		global $wpdb;
		if ( preg_match( '/^\s*(?:INSERT|UPDATE|DELETE|REPLACE|LOAD|TRUNCATE)\b/i', $query ) && false !== strpos( $query, $wpdb->posts ) ) {
			$this->written[ get_current_blog_id() ] = wp_cache_get( 'last_changed', 'posts' );
		}
		return $query;
	}

	/** Say that posts were changed, if nobody did so since they were written. */
	public function tell(): void {
		foreach ( $this->written as $site => $moment ) {
			$is_elsewhere = get_current_blog_id() !== $site;
			if ( $is_elsewhere ) {
				switch_to_blog( $site );
			}
			if ( wp_cache_get( 'last_changed', 'posts' ) === $moment ) {
				wp_cache_set_posts_last_changed();
			}
			if ( $is_elsewhere ) {
				restore_current_blog();
			}
		}
		$this->written = array();
	}

	/** Put the counts where wp_count_posts() looks first, for this request only: of all posts, and of those that the user may read. */
	public function lend_counts(): void {
		$type = (string) ( $GLOBALS['typenow'] ?? '' );
		if ( '' === $type || ! $this->is_wanted() || ! function_exists( '_count_posts_cache_key' ) ) {
			return;
		}
		foreach ( array_unique( array( _count_posts_cache_key( $type ), _count_posts_cache_key( $type, 'readable' ) ) ) as $name ) {
			$moment = wp_cache_get_last_changed( 'posts' );
			$counts = $this->kept( $name );
			if ( $counts instanceof stdClass ) {
				wp_cache_add( $name, $counts, 'counts' );
			} else {
				$this->wanted[ $name ] = $moment;
			}
		}
	}

	/** Keep what WordPress has just counted, before other plugins change it; return it as it is. */
	public function keep_counts( $counts, $type, $perm ) {
		$name = $this->wanted ? _count_posts_cache_key( $type, $perm ) : '';
		if ( isset( $this->wanted[ $name ] ) ) {
			$this->keep( $name, $this->wanted[ $name ], $counts );
			unset( $this->wanted[ $name ] );
		}
		return $counts;
	}

	/** Answer which months have posts of a type: those in the bin if that is what is shown, otherwise all others. */
	public function months( $months, $type ) {
		global $wpdb;
		if ( is_array( $months ) || ! $this->is_wanted() ) {
			return $months;
		}
		$is_bin = isset( $_GET['post_status'] ) && 'trash' === $_GET['post_status']; // phpcs:ignore WordPress.Security.NonceVerification.Recommended -- Only shown.
		$name   = 'months:' . ( $is_bin ? 'bin' : 'list' ) . ":$type";
		$moment = wp_cache_get_last_changed( 'posts' );
		$kept   = $this->kept( $name );
		if ( is_array( $kept ) ) {
			return $kept;
		}
		$which  = $is_bin ? "post_status = 'trash'" : "post_status NOT IN ( 'auto-draft', 'trash' )";
		$asked  = $wpdb->prepare( "SELECT DISTINCT YEAR( post_date ) AS year, MONTH( post_date ) AS month FROM $wpdb->posts WHERE post_type = %s", $type );
		$months = $wpdb->get_results( "$asked AND $which ORDER BY year DESC, month DESC" ); // phpcs:ignore WordPress.DB
		if ( ! is_array( $months ) || '' !== $wpdb->last_error ) {
			return false;
		}
		$this->keep( $name, $moment, $months );
		return $months;
	}

	/** Whether answers are shared at all, and every question reaches the database as WordPress asks it. */
	private function is_wanted(): bool {
		if ( ! wp_using_ext_object_cache() || wp_installing() ) {
			return false;
		}
		$known = array( 'wordpress_ha_cache_before_query', array( $GLOBALS['wpdb'], 'remove_placeholder_escape' ), array( $this, 'note_write' ) );
		foreach ( $GLOBALS['wp_filter']['query']->callbacks ?? array() as $callbacks ) {
			foreach ( $callbacks as $callback ) {
				// Anybody else may change what is asked.
				if ( ! in_array( $callback['function'], $known, true ) ) {
					return false;
				}
			}
		}
		return true;
	}

	/** Return what was kept since the last change of a post, null for nothing. */
	private function kept( string $name ) {
		$moment = wp_cache_get_last_changed( 'posts' );
		$kept   = wp_cache_get( $name, self::GROUP );
		return is_array( $kept ) && ( $kept['moment'] ?? null ) === $moment ? $kept['answer'] ?? null : null;
	}

	private function keep( string $name, string $moment, $answer ): void {
		// A request that wrote posts may have changed the answer without changing the moment yet.
		if ( ! $this->written ) {
			wp_cache_set( $name, compact( 'moment', 'answer' ), self::GROUP, self::LONGEST );
		}
	}
}

( new WordPress_HA_Admin() )->listen();
