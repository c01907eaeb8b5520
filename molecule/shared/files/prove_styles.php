<?php
// Copyright: Contributors to the wordpress_ha.aws project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Proves that small style sheets out of the object cache make the page that those of the shared files make, and when they are read again. Each request is
// a process of its own: php prove_styles.php runs them all, php prove_styles.php TREE one front page of the site in that tree.
$truth = '/srv/wordpress/shared/site';
$tree  = $argv[1] ?? '';

if ( '' !== $tree ) {
	$_SERVER += array(
		'HTTP_HOST'              => 'localhost',
		'HTTP_X_FORWARDED_PROTO' => 'https',
		'REQUEST_URI'            => '/',
		'REQUEST_METHOD'         => 'GET',
		'SERVER_PROTOCOL'        => 'HTTP/1.1',
	);
	define( 'WP_USE_THEMES', true );
	// No redirect to the site's own address.
	$wp_filter['redirect_canonical'][10]['prove_styles'] = array(
		'function'      => '__return_false',
		'accepted_args' => 0,
	);
	ob_start();
	require $tree . '/wp-blog-header.php';
	$page  = (string) ob_get_clean();
	$lent  = class_exists( 'WordPress_HA_Styles_Stream' )
		? Closure::bind( static fn() => WordPress_HA_Styles_Stream::$sheets, null, 'WordPress_HA_Styles_Stream' )() : array();
	$paths = array_map( static fn( $address ) => substr( $address, strlen( 'wordpress-ha-style://' ) ), array_keys( $lent ) );
	// Addresses of the stream are for WordPress's own function alone.
	$astray = substr_count( $page . serialize( wp_styles()->registered ), 'wordpress-ha-style' );
	echo json_encode( array( $paths, md5( $page ), substr_count( $page, "-inline-css'" ) + substr_count( $page, '-inline-css"' ), $astray, strpos( $page, '/* proof */' ) !== false ) ), "\n";
	exit( 0 );
}

function request( string $tree ): array {
	$output = shell_exec( escapeshellarg( PHP_BINARY ) . ' ' . escapeshellarg( __FILE__ ) . ' ' . escapeshellarg( $tree ) );
	$answer = json_decode( (string) $output, true );
	if ( ! is_array( $answer ) ) {
		echo "the request for $tree printed: $output\n";
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

/** Tell everybody that a file of the code has changed, as a plugin or a deployment would. */
function tell( string $truth, string $path ): void {
	shell_exec( 'wp --path=' . escapeshellarg( $truth ) . ' eval ' . escapeshellarg( "do_action( 'wordpress_ha_code_changed', array( '$path' ) );" ) . ' 2>&1' );
}

list( $lent, $digest, $inline ) = request( $truth );
claim( array() === $lent && $inline > 5, "a front page on the shared files puts $inline style sheets into the page, read from files" );
list( $lent, $again, $same, $astray ) = request( $truth );
claim( count( $lent ) > 5 && $again === $digest, 'the next gets ' . count( $lent ) . ' of them from the object cache, and is the same to the byte' );
claim( 0 === $astray, 'and nothing else sees their addresses' );
list( $copied ) = request( (string) realpath( '/srv/wordpress/docroot' ) );
claim( array() === $copied, "on a node's own copy the files are read" );
$path = $lent[0];
$css  = (string) file_get_contents( "$truth/$path" );
try {
	file_put_contents( "$truth/$path", "$css/* proof */" );
	tell( $truth, $path );
	list( $lent, , , , $is_new ) = request( $truth );
	claim( array() === $lent && $is_new, "what has changed ($path) and was announced is in the next page" );
} finally {
	file_put_contents( "$truth/$path", $css );
	tell( $truth, $path );
}
list( $lent, $last ) = request( $truth );
claim( $last === $digest, 'and as it was when that is taken back' );
