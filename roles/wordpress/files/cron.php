<?php
/**
 * Runs due events if no other node of the fleet does so now. Called by WP-CLI: wp eval-file cron.php
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

global $wpdb;

// The database elects the runner (P26): the lock goes with the connection, so a runner that dies frees it at once.
$wordpress_ha_lock = 'wordpress_ha:cron:' . substr( hash( 'sha256', DB_NAME . $wpdb->base_prefix ), 0, 32 );
if ( '1' !== $wpdb->get_var( $wpdb->prepare( 'SELECT GET_LOCK(%s, 0)', $wordpress_ha_lock ) ) ) {
	WP_CLI::log( 'Another node runs the events.' );
	return;
}

// How long the oldest of them has waited: what the node reports of it is the only sign that events run at all. See cron_lag.py.
$wordpress_ha_due = wp_get_ready_cron_jobs();
$wordpress_ha_run = getenv( 'RUNTIME_DIRECTORY' );
if ( $wordpress_ha_run ) {
	$wordpress_ha_lag = $wordpress_ha_due ? max( 0, time() - (int) min( array_keys( $wordpress_ha_due ) ) ) : 0;
	file_put_contents( $wordpress_ha_run . '/lag', (string) $wordpress_ha_lag );
}

WP_CLI::runcommand( 'cron event run --due-now', array( 'launch' => false ) );

$wpdb->query( $wpdb->prepare( 'SELECT RELEASE_LOCK(%s)', $wordpress_ha_lock ) );
