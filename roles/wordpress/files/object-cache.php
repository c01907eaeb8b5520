<?php
/**
 * Plugin Name: WordPress HA object cache
 * Description: Object cache on Valkey, Redis or Memcached for a fleet of nodes: TLS, few round trips, outages survived without an error.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stands in wp-content, on the shared files; what it loads is each machine's own, as its settings are (WORDPRESS_HA_CACHE in
 * wp-config.php). On a machine without them WordPress takes its own cache, which lasts for one request. How it behaves:
 *
 * - A value's name carries a generation, a random token. Flushing sets a new token: nothing is scanned or deleted, old values
 *   expire (P12). Should the token be evicted, a new one takes its place: never an old value.
 * - Every value expires, so that eviction always finds something (P13).
 * - The keys that a URL used last time are fetched at once, and writes wait for company: two or three round trips for a page.
 * - What was read from the database before a change is never stored over what came after it (P10).
 * - The first failure ends the cache's use for the request: what follows lives in the request's own memory (P9). The outage is
 *   noted in a file on this machine's tmpfs; while the note is young nobody tries to connect, then one worker does, and flushes
 *   when it gets through, because writes were lost meanwhile.
 *
 * @package wordpress_ha
 */

defined( 'ABSPATH' ) || exit;

if ( is_readable( '/opt/wordpress_ha/object-cache/load.php' ) ) {
	require_once '/opt/wordpress_ha/object-cache/load.php';
}
