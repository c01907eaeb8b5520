<?php
/**
 * Loads the object cache; WordPress takes its own if the functions below are not defined.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * @package wordpress_ha
 */

defined( 'ABSPATH' ) || exit;

require_once __DIR__ . '/link.php';
require_once __DIR__ . '/shared.php';
require_once __DIR__ . '/outcome.php';
require_once __DIR__ . '/cache.php';
require_once __DIR__ . '/functions.php';
if ( defined( 'WP_CLI' ) && WP_CLI ) {
	require_once __DIR__ . '/command.php';
}
