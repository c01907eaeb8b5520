<?php
/**
 * Plugin Name: WordPress HA mail
 * Description: Sends WordPress's mail through Amazon SES with the node's own role, or through an SMTP server, and counts what fails.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How it behaves:
 *
 * - A node has no mail server, so that PHP's own way loses each mail without a word (P39). Here a mail is either taken by the service
 *   or wp_mail() says false, the reason is in PHP's log and this node's count of failures goes up, which raises an alarm.
 * - WordPress's PHPMailer composes the mail; only the last step differs, so that filters and plugins work as ever. A plugin that
 *   chooses a mailer of its own in phpmailer_init keeps it.
 * - For SES the mail is posted to the service and signed with the credentials of the instance's role, which the metadata service gives
 *   for some hours at most: no key is kept anywhere. An answer that passes (throttled, 5xx) is tried thrice within 12 seconds.
 * - Where no transport is set, a mail fails with words that say so.
 *
 * @package wordpress_ha
 */

defined( 'ABSPATH' ) || exit;

/** The settings, what WordPress says of each mail, and the count. */
class WordPress_HA_Mail {

	/** Counts of this node since it started, in its memory; systemd-tmpfiles makes the file. */
	const COUNTS = '/run/wordpress_ha/mail/counts.json';

	/** Seconds to wait for an SMTP server: a request has 60, and a form may send several. */
	const SMTP_TIMEOUT = 10;

	private array $settings;

	public function __construct( array $settings ) {
		$this->settings = array_merge(
			array(
				'transport'  => 'none',
				'from'       => '',
				'from_name'  => '',
				'region'     => '',
				'host'       => '',
				'port'       => 587,
				'encryption' => 'starttls',
				'username'   => '',
				'password'   => '',
				'ca_file'    => '',
			),
			$settings
		);
	}

	public function listen(): void {
		add_filter( 'wp_mail_from', array( $this, 'from' ), 1 );
		add_filter( 'wp_mail_from_name', array( $this, 'from_name' ), 1 );
		add_filter( 'pre_wp_mail', array( $this, 'bring_mailer' ), 1 );
		add_action( 'phpmailer_init', array( $this, 'choose' ), 1 );
		add_action( 'wp_mail_succeeded', array( $this, 'sent' ) );
		add_action( 'wp_mail_failed', array( $this, 'failed' ) );
		add_filter( 'site_status_tests', array( $this, 'site_health_tests' ) );
	}

	/** Only the sender that WordPress makes up is replaced; one that a plugin chose stays. */
	public function from( $address ) {
		$is_made_up = is_string( $address ) && 0 === strpos( $address, 'wordpress@' );
		return $is_made_up && '' !== $this->settings['from'] ? $this->settings['from'] : $address;
	}

	public function from_name( $name ) {
		return 'WordPress' === $name && '' !== $this->settings['from_name'] ? $this->settings['from_name'] : $name;
	}

	/** Before wp_mail() makes a PHPMailer, leave it one that knows this plugin's ways; null lets the mail go on. */
	public function bring_mailer( $answer ) {
		global $phpmailer;
		if ( 'smtp' !== $this->settings['transport'] && ! $phpmailer instanceof PHPMailer\PHPMailer\PHPMailer ) {
			require_once ABSPATH . WPINC . '/PHPMailer/PHPMailer.php';
			require_once ABSPATH . WPINC . '/PHPMailer/SMTP.php';
			require_once ABSPATH . WPINC . '/PHPMailer/Exception.php';
			require_once ABSPATH . WPINC . '/class-wp-phpmailer.php';
			$phpmailer            = wordpress_ha_mailer();
			$phpmailer::$validator = static fn( $address ) => (bool) is_email( $address );
		}
		return $answer;
	}

	/** @param PHPMailer\PHPMailer\PHPMailer $mailer What wp_mail() is about to send with. */
	public function choose( $mailer ): void {
		if ( 'smtp' === $this->settings['transport'] ) {
			$this->use_smtp( $mailer );
		} elseif ( method_exists( $mailer, 'wordpress_ha_Send' ) ) {
			$mailer->Mailer          = 'wordpress_ha_';
			$mailer->wordpress_ha_by = 'ses' === $this->settings['transport'] ? new WordPress_HA_SES( $this->settings ) : null;
		}
		if ( '' !== $this->settings['from'] && '' === $mailer->Sender ) {
			$mailer->Sender = $this->settings['from']; // where a bounce goes
		}
	}

	private function use_smtp( $mailer ): void {
		$mailer->isSMTP();
		$mailer->Host        = $this->settings['host'];
		$mailer->Port        = (int) $this->settings['port'];
		$mailer->SMTPAuth    = '' !== $this->settings['username'];
		$mailer->Username    = $this->settings['username'];
		$mailer->Password    = $this->settings['password'];
		$mailer->SMTPSecure  = array( 'starttls' => 'tls', 'tls' => 'ssl', 'none' => '' )[ $this->settings['encryption'] ] ?? 'tls';
		$mailer->SMTPAutoTLS = 'none' !== $this->settings['encryption'];
		$mailer->Timeout     = self::SMTP_TIMEOUT;
		if ( '' !== $this->settings['ca_file'] ) {
			$mailer->SMTPOptions = array( 'ssl' => array( 'cafile' => $this->settings['ca_file'] ) );
		}
	}

	public function sent(): void {
		$this->count( 'sent', '' );
	}

	/** @param WP_Error $error Why, with the mail as its data. Neither its words nor whom it was for are logged, only their domains. */
	public function failed( $error ): void {
		$data    = (array) $error->get_error_data();
		$domains = array_map( fn( $to ) => preg_replace( '/^.*@|>.*$/', '', (string) $to ), (array) ( $data['to'] ?? array() ) );
		$why     = trim( preg_replace( '/[^\s<>@]+@/', '*@', wp_strip_all_tags( $error->get_error_message() ) ) );
		error_log( 'wordpress_ha mail: not sent to ' . implode( ', ', array_unique( $domains ) ) . ": $why" );
		$this->count( 'failed', $why );
	}

	/** Count in a file that all of PHP's processes share; without it, as on no node, nothing is counted. */
	private function count( string $what, string $why ): void {
		$file = @fopen( self::COUNTS, 'r+' );
		if ( ! $file || ! flock( $file, LOCK_EX ) ) {
			return;
		}
		$counts = json_decode( (string) stream_get_contents( $file ), true );
		$counts = is_array( $counts ) ? $counts : array();
		$counts = array_merge( array( 'sent' => 0, 'failed' => 0 ), $counts );
		++$counts[ $what ];
		if ( '' !== $why ) {
			$counts['last_failure'] = array( 'at' => time(), 'why' => mb_substr( $why, 0, 200 ) );
		}
		rewind( $file );
		ftruncate( $file, 0 );
		fwrite( $file, (string) wp_json_encode( $counts ) );
		fclose( $file );
	}

	/** @param mixed $tests Site Health's tests. */
	public function site_health_tests( $tests ) {
		$tests['direct']['wordpress_ha_mail'] = array( 'label' => 'Mail', 'test' => array( $this, 'site_health' ) );
		return $tests;
	}

	public function site_health(): array {
		$counts    = (array) json_decode( (string) @file_get_contents( self::COUNTS ), true );
		$transport = $this->settings['transport'];
		$failed    = (int) ( $counts['failed'] ?? 0 );
		$words     = 'none' === $transport ? 'No way to send mail is set: give wordpress_ha_mail in the stack file.'
			: sprintf( 'By %s. Since this node started: %d sent, %d failed.', strtoupper( $transport ), $counts['sent'] ?? 0, $failed );
		if ( $failed ) {
			$words .= ' The last failure: ' . ( $counts['last_failure']['why'] ?? 'unknown' );
		}
		return array(
			'label'       => 'none' === $transport ? 'This site cannot send mail' : ( $failed ? 'Mail was not sent' : 'Mail is sent' ),
			'status'      => 'none' === $transport || $failed ? 'recommended' : 'good',
			'badge'       => array( 'label' => 'WordPress HA', 'color' => 'blue' ),
			'description' => '<p>' . esc_html( $words ) . '</p>',
			'actions'     => '',
			'test'        => 'wordpress_ha_mail',
		);
	}
}

/** Amazon SES, API version 2, asked with the credentials of the instance's role. */
class WordPress_HA_SES {

	const METADATA = 'http://169.254.169.254';

	/** Seconds for one question, tries in all, and seconds that they may take together. */
	const TIMEOUT  = 5;
	const TRIES    = 3;
	const PATIENCE = 12;

	/** SES takes a mail for so many at a time. */
	const RECIPIENTS = 50;

	private array $settings;

	public function __construct( array $settings ) {
		/** For tests and for endpoints of one's own: `endpoint` and `metadata` are addresses without a path. */
		$this->settings = (array) apply_filters( 'wordpress_ha_ses', $settings );
	}

	/**
	 * Post one mail, as composed.
	 *
	 * @param string   $mail The mail, headers and all.
	 * @param string[] $to   Everybody it goes to, blind copies too.
	 * @throws PHPMailer\PHPMailer\Exception If SES does not take it, with its words.
	 */
	public function send( string $mail, array $to ): void {
		$started = microtime( true );
		$body    = (string) wp_json_encode(
			array(
				'Content'     => array( 'Raw' => array( 'Data' => base64_encode( $mail ) ) ),
				'Destination' => array( 'ToAddresses' => array_values( $to ) ),
			)
		);
		for ( $try = 1; ; $try++ ) {
			list( $status, $answer ) = $this->post( $body );
			if ( 200 === $status ) {
				return;
			}
			$passes = 0 === $status || 429 === $status || $status >= 500;
			if ( ! $passes || $try === self::TRIES || microtime( true ) - $started + self::TIMEOUT > self::PATIENCE ) {
				throw new PHPMailer\PHPMailer\Exception( 'SES: ' . ( $status ? "$status $answer" : $answer ) );
			}
			usleep( 250000 * $try );
		}
	}

	private function post( string $body ): array {
		$host    = "email.{$this->settings['region']}.amazonaws.com" . ( 0 === strpos( $this->settings['region'], 'cn-' ) ? '.cn' : '' );
		$base    = $this->settings['endpoint'] ?? "https://$host";
		$host    = preg_replace( '#^https?://#', '', $base );
		$path    = '/v2/email/outbound-emails';
		$headers = $this->signed( $host, $path, $body, $this->credentials(), time() );
		list( $status, $answer ) = $this->ask( 'POST', $base . $path, $headers, $body );
		$said    = json_decode( $answer, true );
		return array( $status, is_array( $said ) ? ( $said['message'] ?? $said['Message'] ?? '' ) : substr( $answer, 0, 200 ) );
	}

	/** Return the headers of a signed request: signature version 4, all of them part of it. */
	public function signed( string $host, string $path, string $body, array $with, int $now ): array {
		$time    = gmdate( 'Ymd\THis\Z', $now );
		$scope   = gmdate( 'Ymd', $now ) . "/{$this->settings['region']}/ses/aws4_request";
		$headers = array(
			'content-type'         => 'application/json',
			'host'                 => $host,
			'x-amz-date'           => $time,
			'x-amz-security-token' => $with['Token'],
		);
		$names   = implode( ';', array_keys( $headers ) );
		$lines   = '';
		foreach ( $headers as $name => $value ) {
			$lines .= "$name:$value\n";
		}
		$request = "POST\n$path\n\n$lines\n$names\n" . hash( 'sha256', $body );
		$key     = 'AWS4' . $with['SecretAccessKey'];
		foreach ( explode( '/', $scope ) as $part ) {
			$key = hash_hmac( 'sha256', $part, $key, true );
		}
		$signature = hash_hmac( 'sha256', "AWS4-HMAC-SHA256\n$time\n$scope\n" . hash( 'sha256', $request ), $key );
		$headers['authorization'] = "AWS4-HMAC-SHA256 Credential={$with['AccessKeyId']}/$scope, SignedHeaders=$names, Signature=$signature";
		return $headers;
	}

	/** Ask the metadata service, version 2 only (P32), for what the instance's role may use now. */
	private function credentials(): array {
		$base = $this->settings['metadata'] ?? self::METADATA;
		list( $status, $token ) = $this->ask( 'PUT', "$base/latest/api/token", array( 'x-aws-ec2-metadata-token-ttl-seconds' => '60' ) );
		$path = "$base/latest/meta-data/iam/security-credentials/";
		$with = array( 'x-aws-ec2-metadata-token' => $token );
		$role = 200 === $status ? $this->ask( 'GET', $path, $with ) : array( $status, '' );
		$said = 200 === $role[0] ? $this->ask( 'GET', $path . trim( strtok( $role[1], "\n" ) ), $with ) : $role;
		$keys = json_decode( 200 === $said[0] ? $said[1] : '', true );
		if ( ! is_array( $keys ) || ! isset( $keys['AccessKeyId'], $keys['SecretAccessKey'], $keys['Token'] ) ) {
			throw new PHPMailer\PHPMailer\Exception( "SES: the instance's metadata service gives no credentials of a role ({$said[0]})" );
		}
		return $keys;
	}

	/**
	 * Ask by curl, not by WordPress's HTTP API, in whose filters a plugin could see the credentials; return status and answer.
	 * Status 0 is no answer at all. Neither a proxy nor a redirect is followed.
	 */
	private function ask( string $method, string $url, array $headers, ?string $body = null ): array {
		$lines = array();
		foreach ( $headers as $name => $value ) {
			$lines[] = "$name: $value";
		}
		$curl = curl_init( $url );
		curl_setopt_array(
			$curl,
			array(
				CURLOPT_CUSTOMREQUEST  => $method,
				CURLOPT_HTTPHEADER     => $lines,
				CURLOPT_RETURNTRANSFER => true,
				CURLOPT_CONNECTTIMEOUT => 2,
				CURLOPT_TIMEOUT        => self::TIMEOUT,
				CURLOPT_PROXY          => '',
			)
		);
		if ( null !== $body ) {
			curl_setopt( $curl, CURLOPT_POSTFIELDS, $body );
		}
		if ( '' !== ( $this->settings['ca_file'] ?? '' ) ) {
			curl_setopt( $curl, CURLOPT_CAINFO, $this->settings['ca_file'] );
		}
		$answer = curl_exec( $curl );
		return false === $answer ? array( 0, curl_error( $curl ) ) : array( (int) curl_getinfo( $curl, CURLINFO_RESPONSE_CODE ), $answer );
	}
}

/** Return WordPress's own mailer with one more way to send; its class can be made only when WordPress's is there. */
function wordpress_ha_mailer() {
	return new class( true ) extends WP_PHPMailer {
		/** @var WordPress_HA_SES|null Who takes the mail; nobody where no transport is set. */
		public $wordpress_ha_by = null;

		/** PHPMailer calls the method that has the name of its mailer, with what it has composed. */
		// phpcs:ignore
		public function wordpress_ha_Send( $header, $body ) {
			if ( null === $this->wordpress_ha_by ) {
				throw new PHPMailer\PHPMailer\Exception( 'no way to send mail is set: give wordpress_ha_mail in the stack file' );
			}
			$mail = self::normalizeBreaks( rtrim( $header, "\r\n" ) . "\n\n" . $body, "\r\n" );
			// Blind copies are in no header: whom it goes to is said beside the mail, to so many at a time.
			$everybody = array_column( array_merge( $this->to, $this->cc, $this->bcc ), 0 );
			foreach ( array_chunk( array_unique( $everybody ), WordPress_HA_SES::RECIPIENTS ) as $some ) {
				$this->wordpress_ha_by->send( $mail, $some );
			}
			return true;
		}
	};
}

$GLOBALS['wordpress_ha_mail'] = new WordPress_HA_Mail( defined( 'WORDPRESS_HA_MAIL' ) ? WORDPRESS_HA_MAIL : array() );
$GLOBALS['wordpress_ha_mail']->listen();
