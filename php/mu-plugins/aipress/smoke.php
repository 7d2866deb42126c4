<?php
/**
 * Looks of the platform at a page of wp-admin, as an administrator sees it.
 *
 * Role: whoever changes a plugin wants to know whether wp-admin still works. The platform asks for a
 * page with the FastCGI parameter AIPRESS_SMOKE=administrator (a visitor can't set it: all that a
 * visitor sends arrives as HTTP_*), and gets it as the site's first administrator.
 *
 * Invariants:
 * - The session is in this request's memory: no row is written, no cookie leaves the machine.
 * - WordPress's own check of its cookie runs, and so does every hook of an ordinary visit.
 * - A look asks nobody outside by itself: not for updates, nor for the age of its browser or PHP. It
 *   starts no cron.
 * - A site without an administrator is looked at as a visitor.
 *
 * @package AIPress
 */

namespace AIPress\Smoke;

/** Sessions that end with the request. */
final class Sessions extends \WP_Session_Tokens {

	/** @var array<string, array<string, mixed>> By the hash of their tokens. */
	private static array $sessions = array();

	protected function get_sessions() {
		return self::$sessions;
	}

	protected function get_session( $verifier ) {
		return self::$sessions[ $verifier ] ?? null;
	}

	protected function update_session( $verifier, $session = null ) {
		if ( null === $session ) {
			unset( self::$sessions[ $verifier ] );
		} else {
			self::$sessions[ $verifier ] = $session;
		}
	}

	protected function destroy_other_sessions( $verifier ) {
		self::$sessions = \array_intersect_key( self::$sessions, array( $verifier => true ) );
	}

	protected function destroy_all_sessions() {
		self::$sessions = array();
	}

	public static function drop_sessions() {
		self::$sessions = array();
	}
}

/** Has this request come from the first administrator. */
function sign_in(): void {
	$users = get_users( array( 'role' => 'administrator', 'orderby' => 'ID', 'number' => 1, 'fields' => 'ID' ) ); // phpcs:ignore
	if ( array() === $users ) {
		return;
	}
	$user    = (int) $users[0];
	$expires = time() + 600;
	add_filter( 'session_token_manager', static fn() => Sessions::class );
	$token   = \WP_Session_Tokens::get_instance( $user )->create( $expires );
	$cookies = array(
		AUTH_COOKIE        => 'auth',
		SECURE_AUTH_COOKIE => 'secure_auth',
		LOGGED_IN_COOKIE   => 'logged_in',
	);
	foreach ( $cookies as $name => $scheme ) {
		$_COOKIE[ $name ] = wp_generate_auth_cookie( $user, $expires, $scheme, $token );
	}
}

/** Keeps WordPress from asking outside because of a look. */
function ask_nobody(): void {
	foreach ( array( '_maybe_update_core', '_maybe_update_plugins', '_maybe_update_themes' ) as $check ) {
		remove_action( 'admin_init', $check );
	}
	$browser = 'browser_' . md5( $_SERVER['HTTP_USER_AGENT'] ?? '' ); // phpcs:ignore -- a key, as wp_check_browser_version() makes it.
	foreach ( array( $browser, 'php_check_' . md5( PHP_VERSION ) ) as $key ) {
		add_filter( "pre_site_transient_$key", static fn() => array( 'upgrade' => false, 'is_acceptable' => true, 'insecure' => false ) ); // phpcs:ignore
	}
}

remove_action( 'init', 'wp_cron' );
if ( 'administrator' === $_SERVER['AIPRESS_SMOKE'] ) {
	ask_nobody();
	// Before any plugin can ask who is signed in; WordPress's own functions for it are there by now.
	add_action( 'plugins_loaded', __NAMESPACE__ . '\sign_in', PHP_INT_MIN );
}
