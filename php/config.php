<?php
/**
 * WordPress's configuration for the tenant of this request.
 *
 * Role: what a wp-config.php does elsewhere, for all tenants: wp-config.php of the core directory
 * requires this file, and afterwards wp-settings.php.
 *
 * Invariants:
 * - A request whose slot is not (or no longer) its tenant's gets a 503 that nobody stores.
 * - Only what WordPress itself needs as constants is defined; the Redis password is not.
 * - Files that the tenant's PHP makes are readable by the slot's group (the gateway serves them)
 *   and by nobody else.
 * - Updates of WordPress itself, its cron trigger and its rewrite rules are the platform's.
 *
 * @package AIPress
 */

namespace AIPress;

require_once __DIR__ . '/site.php';

/** Ends a request that cannot be served for its tenant, with a page for the visitor. */
function refuse( string $reason ): never {
	\error_log( "aipress: $reason" );
	if ( 'cli' === PHP_SAPI ) {
		\fwrite( STDERR, "aipress: $reason\n" );
		exit( 75 ); // EX_TEMPFAIL of sysexits.h.
	}
	\http_response_code( 503 );
	\header( 'Content-Type: text/html; charset=utf-8' );
	\header( 'Cache-Control: no-store' );
	\header( 'Retry-After: 2' );
	exit( '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
		. '<title>One moment</title><body style="font:18px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em">'
		. '<h1>One moment, please</h1><p>This site is being moved or set up. Try again in a few seconds.</p>' );
}

/** Defines WordPress's constants from the site. */
function define_constants( Site $site ): void {
	$database  = $site->database();
	$constants = array(
		'DB_NAME'                    => $database['name'],
		'DB_USER'                    => $database['user'],
		'DB_PASSWORD'                => $database['password'],
		'DB_HOST'                    => 'localhost:' . $database['socket'],
		'DB_CHARSET'                 => 'utf8mb4',
		'DB_COLLATE'                 => '',
		...$site->salts(),

		// Both are the site's first address whatever Host says: which of several hosts is
		// canonical is redirect_canonical()'s business, and a page never carries a sent name.
		'WP_HOME'                    => $site->home,
		'WP_SITEURL'                 => $site->home,
		'WP_CONTENT_DIR'             => $site->site_dir . '/wp-content',
		'WP_CONTENT_URL'             => $site->home . '/wp-content',
		// The tenant's own mu-plugins are loaded by mu-plugins/aipress.php.
		'WPMU_PLUGIN_DIR'            => __DIR__ . '/mu-plugins',
		'WPMU_PLUGIN_URL'            => $site->home . '/wp-content/mu-plugins',
		'WP_TEMP_DIR'                => $site->tmp_dir,

		'FS_METHOD'                  => 'direct',
		'FS_CHMOD_FILE'              => 0640,
		'FS_CHMOD_DIR'               => 0750,

		// The shard wakes the site when an event is due: mu-plugins/aipress/cron.php.
		'DISABLE_WP_CRON'            => true,
		'AUTOMATIC_UPDATER_DISABLED' => true,
		// Whoever gets into wp-admin would else run code of his own by its editor of files.
		'DISALLOW_FILE_EDIT'         => true !== ( $site->security['fileEditing'] ?? false ),
		'WP_AUTO_UPDATE_CORE'        => false,

		'WP_DEBUG'                   => false,
		'WP_DEBUG_DISPLAY'           => false,
		'WP_ENVIRONMENT_TYPE'        => 'production',
	);
	foreach ( $constants as $name => $value ) {
		\define( $name, $value );
	}
}

/**
 * Makes WordPress use the platform's object cache.
 *
 * It is not a file in the tenant's wp-content: one that came along with an imported site would
 * take its place, and each would have to be rewritten at an update. WordPress asks the filter
 * enable_loading_object_cache_dropin exactly once, before it looks for such a file; a hook that
 * is set before plugin.php is loaded is WordPress's own way (WP_Hook::build_preinitialized_hooks).
 */
function use_object_cache(): void {
	$GLOBALS['wp_filter']['enable_loading_object_cache_dropin'][10]['aipress'] = array(
		'accepted_args' => 1,
		'function'      => static function () {
			require_once __DIR__ . '/object-cache.php';
			\wp_using_ext_object_cache( true );
			return false;
		},
	);
}

/**
 * Shows the tenant's variables to getenv() and $_ENV. PHP takes those of putenv() back after the
 * request, so that no worker keeps them.
 */
function define_variables( Site $site ): void {
	foreach ( $site->env as $name => $value ) {
		\putenv( "$name=$value" );
		$_ENV[ $name ] = $value;
	}
}

// Files 0640, folders 0750, also those made without WP_Filesystem. PHP resets it after the request.
\umask( 0027 );
\ini_set( 'display_errors', '0' );
\ini_set( 'log_errors', '1' );

try {
	$site = Site::load( (string) ( $_SERVER['AIPRESS_SLOT_DIR'] ?? '' ), (string) ( $_SERVER['AIPRESS_TENANT_UID'] ?? '' ) );
} catch ( SiteUnavailable $e ) {
	refuse( $e->getMessage() );
}
define_constants( $site );
define_variables( $site );
if ( null !== $site->redis() && \extension_loaded( 'redis' ) ) {
	use_object_cache();
}
unset( $site );

$table_prefix = 'wp_'; // phpcs:ignore -- WordPress reads this global.
