<?php
/**
 * Plugin Name: Journeys
 * Description: What the journeys need of the site while they run: a form with a short-lived nonce, numbered renderings, an echo, no flood control.
 *
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 */

defined( 'ABSPATH' ) || exit;

const JOURNEYS_NONCE_LIFE = 8; // seconds; a nonce is good for half to all of it

// Journeys follow each other faster than people comment.
add_filter( 'comment_flood_filter', '__return_false' );

add_filter(
	'nonce_life',
	static function ( $life, $action = -1 ) {
		return 'journey' === $action ? JOURNEYS_NONCE_LIFE : $life;
	},
	10,
	2
);

// A page with the form may be kept for less than its nonce lives, which is the rule that P33 asks for, scaled down.
add_action(
	'template_redirect',
	static function () {
		$post = get_queried_object();
		if ( $post instanceof WP_Post && has_shortcode( $post->post_content, 'journey_form' ) ) {
			header( 'Cache-Control: public, max-age=0, s-maxage=2' );
		}
	}
);

add_shortcode(
	'journey_form',
	static function () {
		if ( isset( $_POST['journey_nonce'] ) ) {
			nocache_headers();
			return wp_verify_nonce( $_POST['journey_nonce'], 'journey' ) ? 'JOURNEY-ACCEPTED' : 'JOURNEY-REFUSED';
		}
		return '<form method="post">' . wp_nonce_field( 'journey', 'journey_nonce', false, false ) . '</form>';
	}
);

// Whoever is shown the same number was shown a copy of the same rendering.
add_action(
	'wp_head',
	static function () {
		echo '<meta name="journey-rendering" content="' . esc_attr( wp_generate_uuid4() ) . '">';
	}
);

// Says what reached WordPress, below any path that no file has, and may be kept for a minute: what the edge sends, and what it shares.
add_action(
	'plugins_loaded',
	static function () {
		if ( false === strpos( $_SERVER['REQUEST_URI'] ?? '', '/journeys-echo/' ) ) {
			return;
		}
		$seen = array();
		foreach ( $_SERVER as $name => $value ) {
			if ( 0 === strpos( $name, 'HTTP_' ) ) {
				$seen[ strtolower( strtr( substr( $name, 5 ), '_', '-' ) ) ] = $value;
			}
		}
		header( 'Content-Type: application/json' );
		header( 'Cache-Control: public, max-age=60' );
		echo wp_json_encode(
			array(
				'number'  => wp_generate_uuid4(),
				'method'  => $_SERVER['REQUEST_METHOD'],
				'target'  => $_SERVER['REQUEST_URI'],
				'headers' => $seen,
				'cookies' => array_keys( $_COOKIE ),
			)
		);
		exit;
	},
	0
);
