<?php
/**
 * Plugin Name: WordPress HA database
 * Description: WordPress's own database class, which connects when a question is asked: a page that the object cache answers needs no connection.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stands in wp-content, on the shared files; what it loads is each machine's own. On a machine without it WordPress takes its own class.
 *
 * @package wordpress_ha
 */

defined( 'ABSPATH' ) || exit;

if ( ! isset( $GLOBALS['wpdb'] ) && class_exists( 'wpdb', false ) && is_readable( '/opt/wordpress_ha/database/database.php' ) ) {
	require_once '/opt/wordpress_ha/database/database.php';
	$GLOBALS['wpdb'] = new WordPress_HA_Database(
		defined( 'DB_USER' ) ? DB_USER : '',
		defined( 'DB_PASSWORD' ) ? DB_PASSWORD : '',
		defined( 'DB_NAME' ) ? DB_NAME : '',
		defined( 'DB_HOST' ) ? DB_HOST : ''
	);
}
