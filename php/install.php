<?php
/**
 * Makes a WordPress database from nothing, by WordPress's own wp_install().
 *
 * Role: run by the platform on the command line, as an unprivileged user and without a slot, to
 * make the template database that new sites are cloned from. Reads JSON on stdin, writes one JSON
 * object to stdout, exits 0, or non-zero with {"error": ...}.
 *
 *     {"core_dir": "/…/7.1", "title": "…", "locale": "en_US", "home": "http://….invalid",
 *      "admin": {"login": "admin", "email": "…"},
 *      "db": {"socket": "/…/mariadb.sock", "name": "…", "user": "…", "password": "…"}}
 *
 * It works in two processes: one installs, the other, called with the argument `settle`, shows the
 * home page once as a running site would, so that what WordPress writes on its very first page (a
 * navigation, theme settings, scheduled events) is in the template and not written by each clone.
 *
 * Invariants:
 * - Sends no mail and asks no host, not even its own.
 * - The administrator's password is unusable: "!" and chance, which no WordPress takes for a hash
 *   of anything. Signing in is by a link, or after a password reset.
 * - All scheduled events are due at AIPRESS_INSTALL_DUE, which personalize.md replaces.
 * - No transient is left: with an object cache they are not read from the database, and some hold
 *   addresses or paths.
 * - Writes to the database and nowhere else; what WordPress prints is discarded.
 *
 * Deliberately absent: what makes the template a tenant's own, see personalize.md.
 *
 * @package AIPress
 */

if ( 'cli' !== PHP_SAPI ) {
	http_response_code( 404 );
	exit;
}

/** When every scheduled event of the template is due, in Unix seconds: not before it is replaced. */
const AIPRESS_INSTALL_DUE = 4000000000;

/** Longest time, in seconds, that the second process may take. */
const AIPRESS_INSTALL_SETTLE_TIMEOUT = 60;

/** Ends with an error as JSON. */
function aipress_install_fail( string $message ): never {
	$GLOBALS['aipress_done'] = true;
	while ( ob_get_level() > 0 ) {
		ob_end_clean();
	}
	fwrite( STDOUT, json_encode( array( 'error' => $message ) ) . "\n" ); // phpcs:ignore
	exit( 1 );
}

/**
 * Reads and checks the request.
 *
 * @return array<string, mixed>
 */
function aipress_install_request(): array {
	$request = json_decode( (string) stream_get_contents( STDIN ), true );
	if ( ! is_array( $request ) ) {
		aipress_install_fail( 'stdin is not a json object' );
	}
	foreach ( array( 'core_dir', 'title', 'home', 'admin.login', 'admin.email', 'db.socket', 'db.name', 'db.user', 'db.password' ) as $path ) {
		$value = $request;
		foreach ( explode( '.', $path ) as $field ) {
			$value = is_array( $value ) ? $value[ $field ] ?? null : null;
		}
		if ( ! is_string( $value ) ) {
			aipress_install_fail( "$path is missing or not a string" );
		}
	}
	if ( ! is_file( $request['core_dir'] . '/wp-settings.php' ) ) {
		aipress_install_fail( "no wordpress in {$request['core_dir']}" );
	}
	$locale = $request['locale'] ?? 'en_US';
	if ( 'en_US' !== $locale && ! is_file( "{$request['core_dir']}/wp-content/languages/$locale.mo" ) ) {
		aipress_install_fail( "no language files for $locale in {$request['core_dir']}/wp-content/languages" );
	}
	return $request;
}

/** Defines what a wp-config.php would, and what WordPress reads of a request. */
function aipress_install_configure( array $request, bool $settling ): void {
	$url = parse_url( $request['home'] ); // phpcs:ignore -- WordPress is not loaded yet.
	if ( ! isset( $url['scheme'], $url['host'] ) || str_ends_with( $request['home'], '/' ) ) {
		aipress_install_fail( 'home is not an address like http://name.example' );
	}
	$host      = $url['host'] . ( isset( $url['port'] ) ? ":{$url['port']}" : '' );
	$_SERVER   = array_merge(
		$_SERVER,
		array(
			'HTTP_HOST'       => $host,
			'SERVER_NAME'     => $url['host'],
			'SERVER_PROTOCOL' => 'HTTP/1.1',
			'REQUEST_METHOD'  => 'GET',
			'REQUEST_URI'     => $settling ? '/' : '/wp-admin/install.php',
		)
	);
	$constants = array(
		'ABSPATH'         => $request['core_dir'] . '/',
		'DB_NAME'         => $request['db']['name'],
		'DB_USER'         => $request['db']['user'],
		'DB_PASSWORD'     => $request['db']['password'],
		'DB_HOST'         => 'localhost:' . $request['db']['socket'],
		'DB_CHARSET'      => 'utf8mb4',
		'DB_COLLATE'      => '',
		'WP_HOME'         => $request['home'],
		'WP_SITEURL'      => $request['home'],
		'WP_PLUGIN_DIR'   => __DIR__ . '/none',
		'WPMU_PLUGIN_DIR' => __DIR__ . '/none',
		'DISABLE_WP_CRON' => true,
		'WP_DEBUG'        => false,
	);
	if ( ! $settling ) {
		$constants['WP_INSTALLING']                  = true;
		$constants['WP_DISABLE_FATAL_ERROR_HANDLER'] = true;
	}
	foreach ( $constants as $name => $value ) {
		define( $name, $value );
	}
}

/**
 * No mail, no network, no rewrite file; hooked before WordPress is loaded, as it provides for.
 *
 * WordPress tries whether pretty permalinks work by asking its own first post for an X-Pingback
 * header. There is nobody to ask yet, and the gateway makes them work; so that is what it hears.
 */
function aipress_install_stay_local(): void {
	$filters = array(
		'pre_http_request'         => static fn() => array(
			'headers'  => array_fill_keys( array( 'X-Pingback', 'x-pingback' ), get_bloginfo( 'pingback_url' ) ), // 6.1 asks in lower case.
			'body'     => '',
			'response' => array(
				'code'    => 200,
				'message' => 'OK',
			),
			'cookies'  => array(),
		),
		'pre_wp_mail'              => static fn() => true,
		'flush_rewrite_rules_hard' => static fn() => false,
	);
	foreach ( $filters as $name => $function ) {
		$GLOBALS['wp_filter'][ $name ][10]['aipress'] = array(
			'accepted_args' => 1,
			'function'      => $function,
		);
	}
}

/**
 * Installs, once WordPress is loaded.
 *
 * @return array<string, mixed> What is told to the caller.
 */
function aipress_install_run( array $request ): array {
	global $wpdb;

	if ( is_blog_installed() ) {
		aipress_install_fail( 'the database has a wordpress already' );
	}
	$locale = $request['locale'] ?? 'en_US';
	if ( 'en_US' !== $locale ) {
		load_default_textdomain( $locale );
		$GLOBALS['wp_locale'] = new WP_Locale(); // phpcs:ignore -- as wp-admin/install.php does.
	}
	$installed = wp_install(
		$request['title'],
		$request['admin']['login'],
		$request['admin']['email'],
		true,
		'',
		wp_generate_password( 32, true, true ),
		'en_US' === $locale ? '' : $locale
	);
	if ( is_wp_error( $installed['user_id'] ) ) {
		aipress_install_fail( $installed['user_id']->get_error_message() );
	}
	$wpdb->update( $wpdb->users, array( 'user_pass' => '!' . bin2hex( random_bytes( 20 ) ) ), array( 'ID' => $installed['user_id'] ) );

	return array(
		'wp'                  => $GLOBALS['wp_version'],
		'db_version'          => (int) get_option( 'db_version' ),
		'admin_id'            => (int) $installed['user_id'],
		'permalink_structure' => get_option( 'permalink_structure' ),
		'theme'               => get_option( 'stylesheet' ),
	);
}

/**
 * Has a second process finish what the first, as an installer, could not.
 *
 * @param array<string, mixed> $request As on stdin.
 */
function aipress_install_start_settling( array $request ): void {
	$streams = array(
		0 => array( 'pipe', 'r' ),
		1 => array( 'pipe', 'w' ),
		2 => STDERR,
	);
	$process = proc_open( array( PHP_BINARY, __FILE__, 'settle' ), $streams, $pipes ); // phpcs:ignore
	if ( ! is_resource( $process ) ) {
		aipress_install_fail( 'cannot start php a second time' );
	}
	fwrite( $pipes[0], json_encode( $request ) ); // phpcs:ignore
	fclose( $pipes[0] ); // phpcs:ignore
	$readable = array( $pipes[1] );
	$none     = null;
	$said     = null;
	if ( stream_select( $readable, $none, $none, AIPRESS_INSTALL_SETTLE_TIMEOUT ) > 0 ) {
		$said = json_decode( (string) fgets( $pipes[1] ), true ); // It says one line, at its end.
	} else {
		proc_terminate( $process, 9 ); // phpcs:ignore
	}
	fclose( $pipes[1] ); // phpcs:ignore
	if ( 0 !== proc_close( $process ) || true !== ( $said['settled'] ?? null ) ) {
		aipress_install_fail( 'the first page failed: ' . ( $said['error'] ?? 'php ended or took too long' ) );
	}
}

/** After the first page: what of it stays in the template. */
function aipress_install_settle(): void {
	global $wpdb;

	flush_rewrite_rules( false ); // In wp_install() categories and tags had no permalinks yet.
	$due = array();
	foreach ( _get_cron_array() as $events ) {
		$due = array_merge_recursive( $due, $events );
	}
	update_option(
		'cron',
		array(
			AIPRESS_INSTALL_DUE => $due,
			'version'           => 2,
		)
	);
	$wpdb->query( "DELETE FROM $wpdb->options WHERE option_name LIKE '\\_transient\\_%' OR option_name LIKE '\\_site\\_transient\\_%'" );
}

$aipress_settling = 'settle' === ( $argv[1] ?? '' );
$aipress_request  = aipress_install_request();
aipress_install_configure( $aipress_request, $aipress_settling );
aipress_install_stay_local();

$aipress_done = false;
register_shutdown_function(
	static function () use ( &$aipress_done ) {
		if ( ! $aipress_done ) { // WordPress ended by itself: wp_die(), a fatal error.
			$said = trim( (string) preg_replace( '/\s+/', ' ', strip_tags( (string) ob_get_contents() ) ) ); // phpcs:ignore
			aipress_install_fail( '' === $said ? ( error_get_last()['message'] ?? 'wordpress ended early' ) : substr( $said, 0, 500 ) );
		}
	}
);
ob_start();

$table_prefix = 'wp_'; // phpcs:ignore -- WordPress reads this global.
require ABSPATH . 'wp-settings.php';
if ( $aipress_settling ) {
	define( 'WP_USE_THEMES', true );
	wp();
	require ABSPATH . WPINC . '/template-loader.php';
	aipress_install_settle();
	$aipress_result = array( 'settled' => true );
} else {
	require ABSPATH . 'wp-admin/includes/upgrade.php';
	$aipress_result = aipress_install_run( $aipress_request );
	aipress_install_start_settling( $aipress_request );
}

$aipress_done = true;
while ( ob_get_level() > 0 ) {
	ob_end_clean();
}
fwrite( STDOUT, json_encode( $aipress_result ) . "\n" ); // phpcs:ignore
