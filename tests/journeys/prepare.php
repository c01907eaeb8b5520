<?php
/**
 * Run by WP-CLI on a node: make the posts that the journeys use up, and say where they are.
 *
 * Arguments: the posts wanted, JSON [{"kind": "open", "mark": "..."}].
 *
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 */

$journeys_user = get_users(
	array(
		'role'   => 'administrator',
		'number' => 1,
	)
)[0];
wp_set_current_user( $journeys_user->ID );
// Whoever opens the editor for the first time is greeted by a dialog; here it is never the first time.
update_user_meta(
	$journeys_user->ID,
	$GLOBALS['wpdb']->get_blog_prefix() . 'persisted_preferences',
	array(
		'core/edit-post' => array( 'welcomeGuide' => false ),
		'core'           => array( 'enableChoosePatternModal' => false ),
		'_modified'      => gmdate( 'c' ),
	)
);

$journeys_made = array();
foreach ( json_decode( $args[0], true ) as $journeys_wanted ) {
	$journeys_mark    = $journeys_wanted['mark'];
	$journeys_content = "<!-- wp:paragraph -->\n<p>Content {$journeys_mark}</p>\n<!-- /wp:paragraph -->";
	$journeys_post    = array(
		'post_title'   => "Journey {$journeys_mark}",
		'post_name'    => "journey-{$journeys_mark}",
		'post_content' => 'form' === $journeys_wanted['kind'] ? '[journey_form]' : $journeys_content,
		'post_status'  => 'draft' === $journeys_wanted['kind'] ? 'draft' : 'publish',
		'post_author'  => $journeys_user->ID,
	);
	if ( 'locked' === $journeys_wanted['kind'] ) {
		$journeys_post['post_password'] = 'open sesame';
	}
	$journeys_id     = wp_insert_post( wp_slash( $journeys_post ), true );
	$journeys_made[] = array( 'id' => $journeys_id ) + $journeys_wanted + array( 'url' => get_permalink( $journeys_id ) );
}
echo wp_json_encode( $journeys_made );
