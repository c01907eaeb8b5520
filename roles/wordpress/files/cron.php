<?php
/**
 * Runs due events if no other node of the fleet does so now. Called by WP-CLI: wp eval-file cron.php
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How each event comes to run once (P26):
 *
 * - The database elects the runner by a lock that goes with its connection. A runner that is killed frees it at once; one that is gone
 *   without a word, with its machine, frees it after LEASE seconds, when the database ends the silent connection.
 * - Before each event the runner makes sure that it still has the lock: an event that did not touch the database for longer may have
 *   lost it, and the rest is somebody else's then.
 * - Events are read from the database before each one, not from a cache: what another runner did a moment ago is seen. An event is
 *   taken from the list before it runs, as WordPress does it, so that one that kills its process is not run for ever.
 */

/** Seconds after which the database gives up a runner that is silent. With the timer's minute: resumed within two. */
const WORDPRESS_HA_CRON_LEASE = 45;

/** Elects the runner, and runs what is due. */
class WordPress_HA_Cron {

	private string $lock;

	public function __construct() {
		global $wpdb;
		$this->lock = 'wordpress_ha:cron:' . substr( hash( 'sha256', DB_NAME . $wpdb->prefix ), 0, 32 );
	}

	/** Become the runner, unless somebody is. */
	public function begin(): bool {
		global $wpdb;
		$wpdb->query( $wpdb->prepare( 'SET SESSION wait_timeout = %d', WORDPRESS_HA_CRON_LEASE ) );
		return '1' === $wpdb->get_var( $wpdb->prepare( 'SELECT GET_LOCK(%s, 0)', $this->lock ) );
	}

	public function is_runner(): bool {
		global $wpdb;
		return '1' === $wpdb->get_var( $wpdb->prepare( 'SELECT IS_USED_LOCK(%s) = CONNECTION_ID()', $this->lock ) );
	}

	public function end(): void {
		global $wpdb;
		$wpdb->query( $wpdb->prepare( 'SELECT RELEASE_LOCK(%s)', $this->lock ) );
	}

	/** Return WordPress's list of events as the database has it now. */
	public function stored() {
		global $wpdb;
		$stored = $wpdb->get_var( "SELECT option_value FROM {$wpdb->options} WHERE option_name = 'cron'" );
		return null === $stored ? false : maybe_unserialize( $stored );
	}

	/** Return the oldest due event as [time, hook, event], or null. */
	private function next( int $until ): ?array {
		foreach ( wp_get_ready_cron_jobs() as $time => $hooks ) {
			foreach ( $time <= $until ? $hooks : array() as $hook => $events ) {
				foreach ( $events as $event ) {
					return array( $time, (string) $hook, $event );
				}
			}
		}
		return null;
	}

	/** How long the oldest due event has waited, for cron_lag.py: the only sign that events run at all. */
	public function note_lag( array $due ): void {
		$folder = getenv( 'RUNTIME_DIRECTORY' );
		if ( $folder ) {
			$lag  = $due ? max( 0, time() - (int) min( array_keys( $due ) ) ) : 0;
			$said = (int) @file_get_contents( "$folder/lag" ); // of another site of the network
			file_put_contents( "$folder/lag", (string) max( $lag, $said ) );
		}
	}

	/** Run the events of each site of a network that has some due, in a process of its own, with the site's plugins and its own lock. */
	public function each_site( string $program ): void {
		$this->note_lag( array() );
		foreach ( get_sites( array( 'number' => 0, 'archived' => 0, 'deleted' => 0, 'spam' => 0 ) ) as $site ) {
			switch_to_blog( (int) $site->blog_id );
			$events = $this->stored();
			$is_due = is_array( $events ) && array_filter( array_keys( $events ), fn( $time ) => is_int( $time ) && $time <= time() );
			$url    = home_url();
			restore_current_blog();
			if ( $is_due ) {
				WP_CLI::runcommand( 'eval-file ' . escapeshellarg( $program ) . ' one --url=' . escapeshellarg( $url ), array( 'exit_error' => false ) );
			}
		}
	}

	/** Run what is due now, oldest first; what becomes due meanwhile waits for the next look. Returns how many were run. */
	public function run(): int {
		$until = time();
		for ( $count = 0; $this->is_runner(); $count++ ) {
			$next = $this->next( $until );
			if ( null === $next ) {
				return $count;
			}
			list( $time, $hook, $event ) = $next;
			if ( $event['schedule'] ) {
				wp_reschedule_event( $time, $event['schedule'], $hook, $event['args'] );
			}
			if ( true !== wp_unschedule_event( $time, $hook, $event['args'] ) ) {
				WP_CLI::warning( "$hook cannot be taken from the list of events; it is tried again." );
				return $count;
			}
			$started = microtime( true );
			do_action_ref_array( $hook, $event['args'] );
			WP_CLI::log( sprintf( 'Ran %s, due %s, in %.3f s.', $hook, gmdate( 'Y-m-d\TH:i:s\Z', $time ), microtime( true ) - $started ) );
		}
		WP_CLI::log( 'The lock is lost; another node goes on.' );
		return $count;
	}
}

// Plugins ask by this whether they run from cron.
defined( 'DOING_CRON' ) || define( 'DOING_CRON', true );

$wordpress_ha_cron = new WordPress_HA_Cron();
if ( is_multisite() && ! $args ) {
	$wordpress_ha_cron->each_site( __FILE__ );
	return;
}
if ( ! $wordpress_ha_cron->begin() ) {
	WP_CLI::log( 'Another node runs the events.' );
	return;
}
add_filter( 'pre_option_cron', array( $wordpress_ha_cron, 'stored' ), PHP_INT_MAX );
$wordpress_ha_cron->note_lag( wp_get_ready_cron_jobs() );
$wordpress_ha_cron->run();
$wordpress_ha_cron->end();
