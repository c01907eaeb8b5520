<?php
// Copyright: Contributors to the wordpress_ha.aws project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs before each page of the visitors' pool: a request that has waited too long for a worker is sent away before WordPress begins. Its visitor has
// mostly gone by then, and those who came after him are served in time, so a queue that could not be worked off is gone in a moment.
( static function (): void {
	$sent     = (float) ( $_SERVER['WORDPRESS_HA_SENT'] ?? 0 ); // nginx's word; a visitor's header would begin with HTTP_
	$patience = (float) getenv( 'WORDPRESS_HA_QUEUE_SECONDS' );
	if ( $sent > 0 && $patience > 0 && microtime( true ) - $sent > $patience ) {
		http_response_code( 503 );
		header( 'Retry-After: 5' );
		header( 'Cache-Control: no-store' );
		header( 'Content-Type: text/plain' );
		exit( "busy\n" );
	}
} )();
