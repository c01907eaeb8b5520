<?php
// Copyright: Contributors to the wordpress_ha.aws project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Proves that the theme's data out of the object cache is what WordPress reads from its files, and when it is read again. Each request is a process of
// its own: php prove_theme.php runs them all, php prove_theme.php WAY one of them.
$docroot = realpath( '/srv/wordpress/docroot' );
$way     = $argv[1] ?? '';

if ( '' !== $way ) {
	$_SERVER += array(
		'HTTP_HOST'      => 'localhost',
		'REQUEST_URI'    => '/',
		'REQUEST_METHOD' => 'GET',
	);
	if ( '.php' === substr( $way, -4 ) ) {
		define( 'WP_ADMIN', true );
		$_SERVER['PHP_SELF'] = "/wp-admin/$way";
	}
	// Callbacks that are there before WordPress loads.
	$same    = static fn( $value ) => $value;
	$filters = array(
		'filtered' => array( 'wp_theme_json_data_theme', $same ),
		'gettext'  => array( 'gettext', $same ),
		'plugins'  => array( 'option_active_plugins', static fn( $value ) => array( ...(array) $value, 'another/another.php' ) ),
		'locale'   => array( 'locale', static fn() => 'de_DE' ),
	);
	if ( isset( $filters[ $way ] ) ) {
		list( $name, $callback ) = $filters[ $way ];
		$wp_filter[ $name ][10]['prove_theme'] = array(
			'function'      => $callback,
			'accepted_args' => 1,
		);
	}
	require $docroot . '/wp-load.php';
	$data  = WP_Theme_JSON_Resolver::get_merged_data( 'theme' )->get_raw_data();
	$files = Closure::bind( static fn() => WP_Theme_JSON_Resolver::$theme_json_file_cache, null, 'WP_Theme_JSON_Resolver' )();
	$own   = count( preg_grep( '#/themes/.*\.json$#', array_keys( $files ) ) );
	// What WordPress makes of it, and what registering the theme's variations leaves behind.
	$all = array( $data, wp_get_global_stylesheet(), WP_Block_Styles_Registry::get_instance()->get_all_registered() );
	echo json_encode( array( $own, md5( serialize( $all ) ), strlen( $all[1] ) ) ), "\n";
	exit( 0 );
}

$claims = array();

/** Run one request: how many files of themes it read, the digest of what came out, the bytes of CSS. */
function request( string $way ): array {
	$output = shell_exec( escapeshellarg( PHP_BINARY ) . ' ' . escapeshellarg( __FILE__ ) . ' ' . escapeshellarg( $way ) );
	$answer = json_decode( (string) $output, true );
	if ( ! is_array( $answer ) ) {
		echo "the request '$way' printed: $output\n";
		exit( 1 );
	}
	return $answer;
}

function claim( bool $holds, string $sentence ): void {
	echo $holds ? 'proved: ' : 'NOT PROVED: ', $sentence, "\n";
	if ( ! $holds ) {
		exit( 1 );
	}
}

list( $files, $digest, $css ) = request( 'filtered' );
claim( $files > 1 && $css > 1000, "a request whose theme data a plugin filters reads the theme's $files files" );
$first = request( 'plain' );
claim( $files === $first[0] && $digest === $first[1], "so does the first request after a flush; what comes out is the same" );
$second = request( 'plain' );
claim( 0 === $second[0] && $digest === $second[1], "the next reads none, and what comes out is the same: data, registered styles and $css bytes of CSS" );
foreach ( array( 'filtered', 'gettext', 'plugins', 'locale' ) as $way ) {
	$again = request( $way );
	claim( $files === $again[0], "another case ($way) reads the files again" );
}
$third = request( 'plain' );
claim( 0 === $third[0] && $digest === $third[1], 'and the entry is still what it was' );
foreach ( array( 'edit.php', 'index.php' ) as $way ) {
	request( $way );
	$list = request( $way );
	claim( 0 === $list[0] && $digest === $list[1], "a list of wp-admin ($way) reads none, and has the same data" );
}
foreach ( array( 'themes.php', 'site-editor.php', 'post.php' ) as $way ) {
	$editor = request( $way );
	claim( $files === $editor[0], "where a theme or what is made with it is edited ($way), the files are read" );
}
