<?php
/**
 * What is around loading WordPress for a command.
 *
 * Invariants: no mail of WordPress's fatal error handler, no request to start its cron.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

use AIPress\Site;
use AIPress\SiteUnavailable;

/** A hook that is there before WordPress is (WP_Hook::build_preinitialized_hooks). */
function hook( string $name, int $priority, callable $function ): void {
	$GLOBALS['wp_filter'][ $name ][ $priority ][] = array(
		'accepted_args' => 1,
		'function'      => $function,
	);
}

/** Before wp-load.php. */
function before_wordpress( Call $call ): void {
	try {
		$site = Site::load( (string) getenv( 'AIPRESS_SLOT_DIR' ), (string) getenv( 'AIPRESS_TENANT_UID' ) );
	} catch ( SiteUnavailable $e ) {
		throw new Failure( $e->getMessage() . '; try again in a moment.', 75 ); // EX_TEMPFAIL of sysexits.h.
	}
	$url     = parse_url( $site->home ); // phpcs:ignore -- WordPress is not loaded yet.
	$host    = $url['host'] . ( isset( $url['port'] ) ? ":{$url['port']}" : '' );
	$_SERVER = array_merge(
		$_SERVER,
		array(
			'HTTP_HOST'       => $host,
			'SERVER_NAME'     => $url['host'],
			'SERVER_PORT'     => (string) ( $url['port'] ?? ( 'https' === $url['scheme'] ? 443 : 80 ) ),
			'SERVER_PROTOCOL' => 'HTTP/1.1',
			'REQUEST_METHOD'  => 'GET',
			'REQUEST_URI'     => '/',
			'REMOTE_ADDR'     => '127.0.0.1',
			'HTTP_USER_AGENT' => '',
		)
	);
	if ( 'https' === $url['scheme'] ) {
		$_SERVER['HTTPS'] = 'on';
	}
	define( 'WP_DISABLE_FATAL_ERROR_HANDLER', true );
	if ( 'core update-db' === $call->command->name() ) {
		// As wp-admin/upgrade.php: plugins and themes written for the new database stay out of its way.
		define( 'WP_INSTALLING', true );
	}
	hook( 'muplugins_loaded', 0, static fn() => remove_action( 'init', 'wp_cron' ) );
	hook( 'wp_die_handler', PHP_INT_MAX, static fn() => __NAMESPACE__ . '\died' );
	skip_plugins( $call->skipped( 'skip-plugins' ) );
	skip_themes( $call->skipped( 'skip-themes' ) );
}

/** WordPress's wp_die() within a command. */
function died( mixed $message ): never {
	if ( $message instanceof \WP_Error ) {
		$message = $message->get_error_message();
	}
	$text = html_entity_decode( trim( (string) preg_replace( '/\s+/', ' ', strip_tags( (string) $message ) ) ), ENT_QUOTES ); // phpcs:ignore
	fail( '' === $text ? 'WordPress ended the command without words.' : $text );
}

/** Lets WordPress not see active plugins until it has loaded them. */
function skip_plugins( bool|array $which ): void {
	if ( false === $which ) {
		return;
	}
	if ( true === $which ) {
		define( 'AIPRESS_SKIP_TENANT_PLUGINS', true ); // mu-plugins/aipress/tenant-plugins.php.
	}
	$loading = true;
	$is_kept = static fn( string $file ) => is_array( $which ) && ! in_array( dirname( $file ), $which, true ) && ! in_array( basename( $file, '.php' ), $which, true );
	hook(
		'option_active_plugins',
		PHP_INT_MAX,
		static function ( $files ) use ( &$loading, $is_kept ) {
			return $loading && is_array( $files ) ? array_values( array_filter( $files, $is_kept ) ) : $files;
		}
	);
	hook(
		'plugins_loaded',
		0,
		static function () use ( &$loading ) {
			$loading = false;
		}
	);
}

/** Lets WordPress load the functions.php of no theme. */
function skip_themes( bool|array $which ): void {
	if ( false === $which ) {
		return;
	}
	$loading = true;
	$none    = static function ( $folder ) use ( &$loading, $which ) {
		$is_skipped = true === $which || in_array( basename( (string) $folder ), (array) $which, true );
		return $loading && $is_skipped ? AIPRESS_PHP_DIR . '/none' : $folder;
	};
	hook( 'stylesheet_directory', PHP_INT_MAX, $none );
	hook( 'template_directory', PHP_INT_MAX, $none );
	hook(
		'after_setup_theme',
		0,
		static function () use ( &$loading ) {
			$loading = false;
			if ( function_exists( 'wp_set_template_globals' ) ) {
				wp_set_template_globals();
			}
		}
	);
}

/** After wp-load.php: as whom the command runs. Who may run commands may write any HTML. */
function after_wordpress( Call $call ): void {
	$user = $call->text( 'user' );
	if ( null !== $user ) {
		require_once __DIR__ . '/users.php';
		wp_set_current_user( find_user( $user )->ID );
	}
	kses_remove_filters();
}
