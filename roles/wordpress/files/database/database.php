<?php
/**
 * WordPress's database class, connected when something is asked of the server.
 *
 * Copyright: Contributors to the wordpress_ha.aws project
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How it behaves:
 *
 * - All that WordPress's own class says and does stays: it is that class. Only what depends on a connection is not there at first, and
 *   whoever looks at it, the class itself, WordPress or a plugin, has it made: the handle, whether it is ready, character set and
 *   collation, which the server's version decides.
 * - Escaping needs no server as long as it can be foretold byte by byte. What cannot (text that is not UTF-8) connects first. Once there
 *   is a connection it is compared with what was foretold, before anything is sent.
 * - A database that is away shows WordPress's own page with status 500, at the first question instead of at the start. A page that has no
 *   question is served.
 * - Where it may (`persistent`), PHP-FPM keeps the connection for the worker's next request. The driver begins a session anew then, so no
 *   setting or temporary table is left of the former; a connection that died meanwhile is replaced before anything is asked. A session
 *   that may hold a lock or a transaction begins anew when its request ends, as others would wait for it as long as the worker idles.
 *   A connection that leads to a reader, because a failover took place, is ended and the name asked anew, before any statement.
 *
 * @package wordpress_ha
 */

class WordPress_HA_Database extends wpdb {

	/** What the server has a say in: taken away until somebody asks for it. */
	const DEPENDENT = array( 'dbh', 'ready', 'charset', 'collate' );

	/** What mysqli_real_escape_string() does to a valid UTF-8 text on a utf8mb4 connection. */
	const ESCAPES = array(
		"\0"   => '\\0',
		"\n"   => '\\n',
		"\r"   => '\\r',
		'\\'   => '\\\\',
		"'"    => "\\'",
		'"'    => '\\"',
		"\x1a" => '\\Z',
	);

	/** All of the above, and characters of each length; the second byte of some would be a quote's escape in an Asian character set. */
	const PROBE = "\0\n\r\\'\"\x1a a\u{e9}'\u{20ac}\\\u{7e57}'\u{1f600}\"";

	/** Whether the constructor runs, which is to make no connection. @var bool */
	protected $is_constructing = false;

	/** Whether nobody asked for a connection yet. @var bool */
	protected $is_deferred = false;

	/** Whether something was escaped without a connection. @var bool */
	protected $has_foretold = false;

	/** Whether text is to be escaped as for utf8mb4. @var bool */
	protected $is_utf8mb4 = false;

	/** Whether connections outlive the request. @var bool */
	protected $is_persistent = false;

	/** Whether the host that is parsed is one to be connected to. @var bool */
	protected $is_connecting = false;

	/** Whether the server takes no writes. @var bool */
	protected $is_reader = false;

	/** Whether the session may hold what others wait for. @var bool */
	protected $may_hold = false;

	/** Statements that hold nothing once they are executed. What calls a lock's function is none. */
	const HOLDS_NOTHING = '/^\s*(?:SELECT|SHOW|DESC|DESCRIBE|EXPLAIN|INSERT|REPLACE|UPDATE|DELETE)\b(?!.*\b(?:GET_LOCK|AUTOCOMMIT)\b)/is';

	public function __construct(
		$dbuser,
		#[\SensitiveParameter]
		$dbpassword,
		$dbname,
		$dbhost
	) {
		$settings            = defined( 'WORDPRESS_HA_DATABASE' ) ? (array) WORDPRESS_HA_DATABASE : array();
		$this->is_persistent = ! empty( $settings['persistent'] ) && 'fpm-fcgi' === PHP_SAPI && ini_get( 'mysqli.allow_persistent' );
		$this->is_utf8mb4    = defined( 'DB_CHARSET' ) && 'utf8mb4' === DB_CHARSET;
		// What is escaped before there is a connection supposes that a backslash escapes; WordPress itself supposes it in esc_like().
		$this->incompatible_modes[] = 'NO_BACKSLASH_ESCAPES';
		$this->is_constructing      = true;
		if ( $this->is_persistent ) {
			add_filter( 'query', array( $this, 'look_at_statement' ), PHP_INT_MAX );
			// At the very end: what is called before may still ask something.
			register_shutdown_function( fn() => register_shutdown_function( fn() => $this->end_session() ) );
		}
		parent::__construct( $dbuser, $dbpassword, $dbname, $dbhost );
		$this->is_constructing = false;
	}

	/** Make what was deferred, if it is asked for. Reading of a property that was taken away ends here, wherever it is written. */
	public function __get( $name ) {
		$this->connect_for( $name );
		if ( 'dbh' === $name ) {
			$this->may_hold = true; // what a plugin does with the handle is not seen
		}
		return parent::__get( $name );
	}

	public function __set( $name, $value ) {
		$this->connect_for( $name );
		parent::__set( $name, $value );
	}

	public function __isset( $name ) {
		$this->connect_for( $name );
		return parent::__isset( $name );
	}

	public function __unset( $name ) {
		$this->connect_for( $name );
		parent::__unset( $name );
	}

	private function connect_for( $name ): void {
		if ( $this->is_deferred && in_array( $name, self::DEPENDENT, true ) ) {
			$this->connect();
		}
	}

	private function connect(): void {
		if ( ! $this->db_connect() ) {
			$this->give_up();
		}
	}

	/** Give the properties their places back, as they are before a connection is made. */
	private function end_deferral(): void {
		if ( $this->is_deferred ) {
			$this->is_deferred = false;
			$this->dbh         = null;
			$this->ready       = false;
			$this->charset     = null;
			$this->collate     = null;
		}
	}

	/**
	 * Connect; for the constructor, promise to.
	 *
	 * @param bool $allow_bail Whether a failure may end the request.
	 */
	public function db_connect( $allow_bail = true ) {
		if ( $this->is_constructing ) {
			$this->is_constructing = false;
			$this->is_mysql        = true;
			// As after a connection: plugins that use mysqli themselves have it without exceptions.
			mysqli_report( MYSQLI_REPORT_OFF );
			unset( $this->dbh, $this->ready, $this->charset, $this->collate );
			$this->is_deferred = true;
			return true;
		}
		$this->end_deferral();
		$connected = $this->connect_once( $allow_bail );
		if ( $connected && $this->is_persistent && $this->is_reader ) {
			// The name may lead to the new writer by now; if it does not, this is the server that there is. A connection for this request
			// alone: where the old one could not be ended, it would be handed out again.
			$this->end_connection();
			$this->is_persistent = false;
			$connected           = $this->connect_once( $allow_bail );
		}
		return $connected;
	}

	private function connect_once( $allow_bail ): bool {
		$this->is_reader     = false;
		$this->is_connecting = true;
		try {
			$connected = (bool) parent::db_connect( $allow_bail );
		} finally {
			$this->is_connecting = false;
		}
		if ( $connected && $this->has_foretold && ! $this->escapes_as_foretold() ) {
			error_log( 'wordpress_ha database: the server escapes otherwise than foretold; nothing was sent' );
			mysqli_close( $this->dbh );
			$this->dbh   = null;
			$this->ready = false;
			$this->error = new WP_Error( 'db_connect_fail', 'The database does not use utf8mb4, or not backslashes to escape.' );
			return false;
		}
		return $connected;
	}

	/** A question to the driver alone, not to the server. */
	private function escapes_as_foretold(): bool {
		return 'utf8mb4' === mysqli_character_set_name( $this->dbh )
			&& mysqli_real_escape_string( $this->dbh, self::PROBE ) === strtr( self::PROBE, self::ESCAPES );
	}

	/**
	 * Note whether a statement may hold something beyond its end.
	 *
	 * @param mixed $query The statement, which stays as it is.
	 */
	public function look_at_statement( $query ) {
		$this->may_hold = $this->may_hold || ! is_string( $query ) || ! preg_match( self::HOLDS_NOTHING, $query );
		return $query;
	}

	/** Let go of locks and transactions now, not when the worker is asked for something again. */
	private function end_session(): void {
		if ( $this->may_hold && ! $this->is_deferred && $this->dbh instanceof mysqli ) {
			$this->may_hold = false;
			@mysqli_change_user( $this->dbh, $this->dbuser, $this->dbpassword, $this->dbname );
		}
	}

	/** End the server's side too: a kept connection that is merely closed waits for the next request. */
	private function end_connection(): void {
		@mysqli_query( $this->dbh, 'KILL ' . (int) $this->dbh->thread_id );
		mysqli_close( $this->dbh );
		$this->dbh   = null;
		$this->ready = false;
	}

	/** WordPress's page for a database that is away, as wp_set_wpdb_vars() shows it, also in the midst of a page. */
	private function give_up(): void {
		if ( 'cli' !== PHP_SAPI && ! headers_sent() ) {
			// Half a page is worse than none: it would be kept at the edge as if it were whole.
			while ( ob_get_level() > 0 && @ob_end_clean() ) {
				continue;
			}
		}
		if ( ! empty( $this->error ) ) {
			dead_db();
		}
	}

	/**
	 * Escape as the connection would.
	 *
	 * @param mixed $data What is to stand in a query, between quotes.
	 */
	public function _real_escape( $data ) {
		if ( ! $this->is_deferred || ! $this->is_utf8mb4 || ! is_scalar( $data ) ) {
			return parent::_real_escape( $data );
		}
		$text = (string) $data;
		// The driver treats broken UTF-8 in a way of its own, which is left to it.
		if ( ! preg_match( '//u', $text ) ) {
			$this->connect();
			return parent::_real_escape( $data );
		}
		$this->has_foretold = true;
		return $this->add_placeholder_escape( strtr( $text, self::ESCAPES ) );
	}

	public function check_connection( $allow_bail = true ) {
		// Whoever checks wants an answer, not the end of the request: not yet connected is like lost.
		$this->end_deferral();
		return parent::check_connection( $allow_bail );
	}

	public function close() {
		if ( $this->is_deferred ) {
			$this->end_deferral();
			return true;
		}
		if ( $this->is_persistent ) {
			$this->end_session();
		}
		return parent::close();
	}

	/** @param string $host DB_HOST. */
	public function parse_db_host( $host ) {
		$parts = parent::parse_db_host( $host );
		// mysqli's word for a connection that is kept; it knows none for an address in brackets.
		if ( $this->is_persistent && $this->is_connecting && $parts && '' !== $parts[0] && ! $parts[3] ) {
			$parts[0] = 'p:' . $parts[0];
		}
		return $parts;
	}

	/**
	 * Make the server's modes fit WordPress; the question for them also tells whether the server takes writes.
	 *
	 * @param string[] $modes Modes to set instead of the server's.
	 */
	public function set_sql_mode( $modes = array() ) {
		if ( ! empty( $modes ) || ! $this->is_persistent || ! $this->is_connecting ) {
			parent::set_sql_mode( $modes );
			return;
		}
		$result = mysqli_query( $this->dbh, 'SELECT @@SESSION.sql_mode, @@GLOBAL.read_only, @@GLOBAL.innodb_read_only' );
		$row    = $result ? mysqli_fetch_row( $result ) : null;
		if ( ! $row ) {
			parent::set_sql_mode();
			return;
		}
		$this->is_reader = self::is_on( $row[1] ) || self::is_on( $row[2] );
		if ( '' !== (string) $row[0] ) {
			parent::set_sql_mode( explode( ',', $row[0] ) );
		}
	}

	private static function is_on( $value ): bool {
		return ! in_array( strtoupper( (string) $value ), array( '', '0', 'OFF' ), true );
	}
}
