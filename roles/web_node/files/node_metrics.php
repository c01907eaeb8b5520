<?php
// Copyright: Contributors to the wordpress_ha.aws project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tells node_metrics.py what the OPcache of this PHP-FPM holds; run in the health pool, all pools share it. nginx reaches no file of this folder
// but those it names.
header( 'Content-Type: application/json' );
echo json_encode( function_exists( 'opcache_get_status' ) ? opcache_get_status( false ) : false );
