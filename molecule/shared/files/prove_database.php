<?php
/**
 * The database drop-in inside WordPress, beside WordPress's own class: wp eval-file prove_database.php
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

function prove( string $claim, bool $holds ): void {
	if ( ! $holds ) {
		WP_CLI::error( "FAILED: $claim" );
	}
	WP_CLI::log( "proved: $claim" );
}

/** A connection of a request of its own, with the tables' names. */
function database( string $class ): wpdb {
	$made = new $class( DB_USER, DB_PASSWORD, DB_NAME, DB_HOST );
	$made->set_prefix( $GLOBALS['table_prefix'] );
	$made->suppress_errors();
	return $made;
}

function ours(): WordPress_HA_Database {
	return database( WordPress_HA_Database::class );
}

/** How often this process connected. */
function connections(): int {
	return (int) mysqli_get_client_stats()['connect_success'];
}

prove( 'WordPress runs on the drop-in, which is a wpdb', $GLOBALS['wpdb'] instanceof WordPress_HA_Database && $GLOBALS['wpdb'] instanceof wpdb );
$stock = database( wpdb::class );
$link  = $stock->dbh;

// Escaping.
$texts = array( '', 'plain', "O'Reilly \\ \"x\" %s %d", "line\r\n\0\x1a", 'ü€😀', "\u{7e57}'\u{7e57}\\", str_repeat( "it's ", 5000 ) );
for ( $byte = 0; $byte < 256; $byte++ ) {
	array_push( $texts, chr( $byte ), chr( $byte ) . "'", 'a' . chr( $byte ) . '\\"', "\xe2" . chr( $byte ) . "'", "\xf0\x9f" . chr( $byte ) );
}
for ( $number = 0; $number < 3000; $number++ ) {
	$texts[] = random_bytes( mt_rand( 1, 60 ) );
	$word    = '';
	for ( $length = mt_rand( 1, 30 ); $length > 0; $length-- ) {
		$word .= mb_chr( array( mt_rand( 0, 127 ), mt_rand( 128, 2047 ), mt_rand( 2048, 55295 ), mt_rand( 65536, 1114111 ) )[ mt_rand( 0, 3 ) ] );
	}
	$texts[] = $word;
}
$lazy   = ours();
$before = connections();
$valid  = array_filter( $texts, fn( $text ) => mb_check_encoding( $text, 'UTF-8' ) );
$alike  = fn( $one, $text ) => $one->remove_placeholder_escape( $one->_real_escape( $text ) ) === mysqli_real_escape_string( $link, $text );
$same   = array_filter( $valid, fn( $text ) => $alike( $lazy, $text ) );
prove(
	sprintf( '%d valid texts, random and of each ASCII byte, are escaped byte by byte as by the driver, without a connection', count( $valid ) ),
	$same === $valid && $before === connections()
);
$broken = array_diff_key( $texts, $valid );
$same   = 0;
foreach ( $broken as $number => $text ) {
	// Each fiftieth by an object that has no connection yet, the others by one that has.
	$one   = $number % 50 ? $lazy : ours();
	$same += $alike( $one, $text ) ? 1 : 0;
	if ( $one !== $lazy ) {
		$one->close(); // a filter holds the object, thus its connection
	}
}
prove(
	sprintf( '%d texts that are no UTF-8 are escaped by the driver, which connects', $same ),
	count( $broken ) === $same && $same > 3000 && connections() > $before
);

$lazy   = ours();
$before = connections();
foreach ( array( 7, -1, 1.5, 1e100, true, false, '0' ) as $value ) {
	prove( 'escaping ' . var_export( $value, true ), $stock->_real_escape( $value ) === $lazy->_real_escape( $value ) );
}
prove( 'what is no scalar is escaped to nothing', '' === $lazy->_real_escape( null ) && '' === $lazy->_real_escape( array( 'x' ) ) );
$arguments = array( "a %s b %d c %f d %i e LIKE %s", "it's 100%", '12', 1.5, 'col`umn', $lazy->esc_like( '50%_\\' ) . '%' );
prove( 'prepare() and esc_like() say the same', $stock->prepare( ...$arguments ) === $lazy->prepare( ...$arguments ) );
$nested = array( 'a' => "'", 'b' => array( "\\" ) );
prove( 'esc_sql() of nested arrays too', $stock->_escape( $nested ) === $lazy->_escape( $nested ) );
prove( 'none of these connected', $before === connections() );

// Whoever asks for a connection gets one, and what WordPress's own class has.
$asks = array(
	'$wpdb->dbh'          => fn( $db ) => $db->dbh instanceof mysqli,
	'isset( $wpdb->dbh )' => fn( $db ) => isset( $db->dbh ),
	'empty( $wpdb->dbh )' => fn( $db ) => empty( $db->dbh ),
	'$wpdb->ready'        => fn( $db ) => $db->ready,
	'$wpdb->charset'      => fn( $db ) => $db->charset,
	'$wpdb->collate'      => fn( $db ) => $db->collate,
	'db_version()'        => fn( $db ) => $db->db_version(),
	'db_server_info()'    => fn( $db ) => $db->db_server_info(),
	'has_cap()'           => fn( $db ) => array_map( array( $db, 'has_cap' ), array( 'collation', 'utf8mb4', 'utf8mb4_520', 'set_charset', 'nothing' ) ),
	'determine_charset()' => fn( $db ) => $db->determine_charset( 'utf8', 'utf8_general_ci' ),
	'charset_collate'     => fn( $db ) => $db->get_charset_collate(),
	'check_connection()'  => fn( $db ) => $db->check_connection( false ),
	'db_connect()'        => fn( $db ) => $db->db_connect( false ),
	'select()'            => fn( $db ) => array( $db->select( DB_NAME ), $db->get_var( 'SELECT DATABASE()' ) ),
	'set_sql_mode()'      => fn( $db ) => array( $db->set_sql_mode( array( 'NO_ZERO_IN_DATE' ) ), $db->get_var( 'SELECT @@sql_mode' ) ),
	'sql_mode'            => fn( $db ) => $db->get_var( 'SELECT @@sql_mode' ),
	'names'               => fn( $db ) => $db->get_results( "SHOW VARIABLES LIKE 'c%\\_connection'", ARRAY_N ),
	'col_charset'         => fn( $db ) => array( $db->get_col_charset( $db->posts, 'post_title' ), $db->get_col_length( $db->posts, 'post_title' ) ),
	'a wrong statement'   => fn( $db ) => array( $db->query( 'SELECT nonsense FROM nowhere' ), $db->last_error ),
	'col_info'            => fn( $db ) => array( $db->query( "SELECT ID, post_title FROM $db->posts" ), $db->get_col_info( 'name' ) ),
	'invalid text'        => fn( $db ) => array( $db->insert( $db->posts, array( 'post_title' => "a\xff" ) ), $db->last_error ),
);
foreach ( $asks as $what => $ask ) {
	$lazy   = ours();
	$before = connections();
	$got    = $ask( $lazy );
	$once   = connections() === $before + 1;
	$other  = database( wpdb::class );
	prove( "$what connects once and is as of wpdb itself", $once && $ask( $other ) === $got );
	$lazy->close();
	$other->close();
}
$lazy          = ours();
$lazy->collate = 'utf8mb4_bin';
$lazy->query( 'SELECT 1' );
prove( 'what somebody sets stays', 'utf8mb4_bin' === $lazy->collate );

// Statements.
$name = $GLOBALS['table_prefix'] . 'proof_' . bin2hex( random_bytes( 3 ) );
$lazy = ours();
try {
	$made = $lazy->query( "CREATE TABLE $name (id INT AUTO_INCREMENT PRIMARY KEY, word VARCHAR(200)) ENGINE=InnoDB " . $lazy->get_charset_collate() );
	prove( 'a table is created', true === $made );
	$word = "it's \\ 100% 😀\0";
	prove( 'the first statement of a request may write', 1 === ours()->insert( $name, array( 'word' => $word ) ) );
	$one = ours();
	prove( 'insert_id', 1 === $one->insert( $name, array( 'word' => 'two' ) ) && 2 === $one->insert_id && 1 === $one->rows_affected );
	prove( 'what was written is read, in all its bytes', $word === ours()->get_var( "SELECT word FROM $name WHERE id = 1" ) );
	$one = ours();
	$sql = $one->prepare( "SELECT id FROM $name WHERE word = %s AND word LIKE %s", $word, '%' . $one->esc_like( '100%' ) . '%' );
	prove( 'what was escaped before the connection is found', '1' === $one->get_var( $sql ) );
	$one = ours();
	$one->query( 'START TRANSACTION' );
	$one->query( "DELETE FROM $name" );
	$seen = array( ours()->get_var( "SELECT COUNT(*) FROM $name" ), $one->get_var( "SELECT COUNT(*) FROM $name" ) );
	prove( 'a transaction is seen by nobody else', array( '2', '0' ) === $seen );
	$one->query( 'ROLLBACK' );
	prove( 'and rolled back', '2' === $one->get_var( "SELECT COUNT(*) FROM $name" ) );
} finally {
	$lazy->query( "DROP TABLE IF EXISTS $name" );
}

$one    = ours();
$before = connections();
prove( 'close() of what never connected is true, and connects nobody', true === $one->close() && $before === connections() );
prove( 'what is closed answers nothing', false === $one->query( 'SELECT 1' ) && false === $one->close() );
prove( 'and connects anew when asked to', $one->db_connect( false ) && '1' === $one->get_var( 'SELECT 1' ) && true === $one->close() );
$one = ours();
$one->query( 'KILL CONNECTION_ID()' );
prove( 'a connection that was ended is made anew by the next statement', '1' === $one->get_var( 'SELECT 1' ) );
$away = new WordPress_HA_Database( DB_USER, DB_PASSWORD, DB_NAME, '127.0.0.1:1' );
$away->suppress_errors();
prove( 'a database that is away is so for who asks for it', false === $away->db_connect( false ) && false === $away->ready && null === $away->dbh );
prove( 'and answers nothing', false === $away->query( 'SELECT 1' ) );

/** What Query Monitor's own drop-in does: a class of its own. */
class Proof_Extended extends WordPress_HA_Database {
	public $seen = array();
	public function query( $query ) {
		$this->seen[] = $query;
		return parent::query( $query );
	}
}
$one = database( Proof_Extended::class );
prove( 'a plugin may extend it', '1' === $one->get_var( 'SELECT 1' ) && array( 'SELECT 1' ) === $one->seen );

// Pages: how often the whole fleet connects meanwhile. Others may ask at the same time, so the least of some tries counts.
$expiry = time() + 600;
$token  = WP_Session_Tokens::get_instance( 1 )->create( $expiry );
$cookie = implode(
	'; ',
	array(
		AUTH_COOKIE . '=' . wp_generate_auth_cookie( 1, $expiry, 'auth', $token ),
		SECURE_AUTH_COOKIE . '=' . wp_generate_auth_cookie( 1, $expiry, 'secure_auth', $token ),
		LOGGED_IN_COOKIE . '=' . wp_generate_auth_cookie( 1, $expiry, 'logged_in', $token ),
	)
);
$counter = ours();
foreach ( array( '/' => '', '/wp-login.php' => '', '/wp-admin/edit.php' => $cookie ) as $path => $sent ) {
	$allowed = '' === $sent ? 0 : 1;
	$least   = PHP_INT_MAX;
	$codes   = array();
	for ( $try = 0; $try < 12; $try++ ) {
		$before  = (int) $counter->get_row( "SHOW GLOBAL STATUS LIKE 'Connections'" )->Value;
		$answer  = wp_remote_get(
			"http://127.0.0.1$path",
			array(
				'redirection' => 0,
				'timeout'     => 30,
				'headers'     => array( 'Host' => wp_parse_url( home_url(), PHP_URL_HOST ), 'X-Forwarded-Proto' => 'https', 'Cookie' => $sent ),
			)
		);
		$codes[] = wp_remote_retrieve_response_code( $answer );
		$least   = min( $least, (int) $counter->get_row( "SHOW GLOBAL STATUS LIKE 'Connections'" )->Value - $before );
	}
	$codes = implode( ' ', array_unique( $codes ) );
	prove( "a warm $path ($codes) connects $least times, $allowed at most", $least <= $allowed && '200' === $codes );
}
WP_Session_Tokens::get_instance( 1 )->destroy( $token );
