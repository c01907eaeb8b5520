<?php
/**
 * Claims about mail (P39), from a node: wp eval-file prove_mail.php <host of mail_stub.py>. Prints what holds, and fails at the first that does not.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

$stub   = $args[0];
$counts = fn( $what ) => (int) ( json_decode( (string) file_get_contents( WordPress_HA_Mail::COUNTS ), true )[ $what ] ?? 0 );
$prove  = function ( $claim, $holds, $seen = '' ) {
	if ( ! $holds ) {
		WP_CLI::error( "$claim: " . wp_json_encode( $seen ) );
	}
	WP_CLI::log( "proved: $claim" );
};
$why    = '';
add_action(
	'wp_mail_failed',
	function ( $error ) use ( &$why ) {
		$why = $error->get_error_message();
	}
);
// Another transport than the contract's takes its place.
$transport = function ( array $settings ) {
	foreach ( array( 'wp_mail_from', 'wp_mail_from_name', 'pre_wp_mail', 'phpmailer_init', 'wp_mail_succeeded', 'wp_mail_failed' ) as $hook ) {
		foreach ( array( 'from', 'from_name', 'bring_mailer', 'choose', 'sent', 'failed' ) as $method ) {
			remove_filter( $hook, array( $GLOBALS['wordpress_ha_mail'], $method ), 1 );
			remove_filter( $hook, array( $GLOBALS['wordpress_ha_mail'], $method ) );
		}
	}
	unset( $GLOBALS['phpmailer'] );
	$GLOBALS['wordpress_ha_mail'] = new WordPress_HA_Mail( $settings );
	$GLOBALS['wordpress_ha_mail']->listen();
};

list( $sent, $failed ) = array( $counts( 'sent' ), $counts( 'failed' ) );
$prove( 'a mail leaves by SMTP, over TLS and with a login', wp_mail( 'smtp@example.net', 'By SMTP', 'x' ), $why );
$prove( 'it is counted', $counts( 'sent' ) === $sent + 1, file_get_contents( WordPress_HA_Mail::COUNTS ) );
$prove( 'a mail that the server refuses makes wp_mail() say false', ! wp_mail( 'refused@example.net', 'x', 'x' ) );
$prove( 'the failure is counted, which raises the alarm', $counts( 'failed' ) === $failed + 1, file_get_contents( WordPress_HA_Mail::COUNTS ) );

$ses = array( 'transport' => 'ses', 'region' => 'eu-central-1', 'from' => 'site@example.org', 'ca_file' => '/etc/ssl/certs/ca-certificates.crt' );
add_filter( 'wordpress_ha_ses', fn( $settings ) => $settings + array( 'endpoint' => "https://$stub:2443", 'metadata' => "http://$stub:2080" ) );
$transport( $ses );
$file = wp_tempnam();
file_put_contents( $file, str_repeat( "an attachment\n", 1000 ) );
$headers = array( 'Bcc: Hidden <hidden@example.net>', 'Cc: copy@example.net', 'Reply-To: a.b@example.net' );
$prove( 'a mail leaves by SES, signed with the credentials of the metadata service', wp_mail( 'Jo <ses@example.net>', 'Grüße', "Grüße, so\r\n.\r\nfar", $headers, array( $file ) ), $why );
unlink( $file );
$prove( 'one that is throttled is tried again', wp_mail( 'throttled@example.net', 'Again', 'x' ), $why );
$prove( 'one that SES refuses makes wp_mail() say false, with the words of SES', ! wp_mail( 'refused@example.net', 'x', 'x' ) && false !== strpos( $why, 'not verified' ), $why );
$many = array_map( fn( $number ) => "many$number@example.net", range( 1, 60 ) );
$prove( 'a mail to sixty is taken, fifty at a time', wp_mail( $many, 'Many', 'x' ), $why );

$transport( array( 'ca_file' => '/dev/null' ) + $ses );
$prove( 'an endpoint whose certificate nobody signed gets no mail', ! wp_mail( 'ses@example.net', 'Unverified', 'x' ), $why );
$transport( array() );
$prove( 'where no transport is set, a mail fails with words that say so', ! wp_mail( 'none@example.net', 'x', 'x' ) && false !== strpos( $why, 'wordpress_ha_mail' ), $why );
