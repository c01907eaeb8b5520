<?php
/**
 * Run by WP-CLI on a node: remove what journeys made, whichever way, by its name.
 *
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 */

$journeys_posts = $GLOBALS['wpdb']->get_results(
	"SELECT ID, post_type FROM {$GLOBALS['wpdb']->posts} WHERE post_title LIKE 'Journey %' AND post_type IN ( 'post', 'attachment' )"
);
foreach ( $journeys_posts as $journeys_post ) {
	'attachment' === $journeys_post->post_type ? wp_delete_attachment( $journeys_post->ID, true ) : wp_delete_post( $journeys_post->ID, true );
}
foreach ( get_users( array( 'role' => 'administrator' ) ) as $journeys_user ) {
	foreach ( WP_Application_Passwords::get_user_application_passwords( $journeys_user->ID ) as $journeys_password ) {
		if ( 'journeys' === $journeys_password['name'] ) {
			WP_Application_Passwords::delete_application_password( $journeys_user->ID, $journeys_password['uuid'] );
		}
	}
}
echo count( $journeys_posts );
