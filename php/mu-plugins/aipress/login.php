<?php
/**
 * One-time sign-in links: `/?aipress_login=<token>`.
 *
 * Role: the platform puts `private/login/<sha256 of the token>.json` into the tenant's folder,
 * {"user": 1, "expires": <unix s>} or {"login": "admin", ...}; who brings the token is signed in
 * as that user and sent to wp-admin, or to `redirect_to` within it.
 *
 * Invariants:
 * - A link works once. Removing the file is what decides: of several requests at the same time
 *   the one whose unlink() succeeds wins.
 * - Only GET signs in. HEAD and a browser's prefetch, which nobody meant as a click, leave the
 *   link as it is.
 * - The token is not kept: the folder has hashes only, the answer is not stored and sends no
 *   referrer.
 * - wp_login fires, so that a site's second factor and its login log work as for any login.
 *
 * @package AIPress
 */

namespace AIPress\Login;

use AIPress\Site;

const PARAMETER = 'aipress_login';

/** Ends the request with a page for somebody whose link does not work. */
function refuse( string $reason ): never {
	wp_die(
		'<h1>' . esc_html( $reason ) . '</h1><p>A sign-in link works once, for a short time. Ask for a new one, or <a href="'
			. esc_url( wp_login_url() ) . '">sign in with your password</a>.</p>',
		'Sign-in link',
		array( 'response' => 403 )
	);
	exit; // wp_die() can be filtered into returning.
}

/**
 * Takes what the platform wrote for a token; null for a token that is unknown or was used.
 *
 * @return ?array{user?: int, login?: string, expires: int}
 */
function take( string $token ): ?array {
	if ( 1 !== preg_match( '/^[A-Za-z0-9_-]{16,256}$/D', $token ) ) {
		return null;
	}
	$file = Site::current()->site_dir . '/private/login/' . hash( 'sha256', $token ) . '.json';
	$json = @file_get_contents( $file );
	if ( false === $json || ! @unlink( $file ) ) { // phpcs:ignore -- whose unlink succeeds has the link.
		return null;
	}
	$link = json_decode( $json, true );
	return is_array( $link ) && is_int( $link['expires'] ?? null ) ? $link : null;
}

/** Where to go after signing in: into wp-admin of this site, nowhere else. */
function destination( mixed $wanted ): string {
	$admin = admin_url();
	if ( ! is_string( $wanted ) || '' === $wanted ) {
		return $admin;
	}
	if ( str_starts_with( $wanted, '/' ) && ! str_starts_with( $wanted, '//' ) ) {
		$wanted = home_url( $wanted );
	}
	$wanted  = wp_sanitize_redirect( $wanted );
	$escapes = str_contains( $wanted, '\\' ) || 1 === preg_match( '~(^|/|%2f)(\.|%2e){2}(/|%2f|[?#]|$)~i', $wanted );
	return str_starts_with( $wanted, $admin ) && ! $escapes ? $wanted : $admin;
}

/** Signs in whoever brings a token. */
function sign_in(): void {
	if ( ! isset( $_GET[ PARAMETER ] ) ) { // phpcs:ignore -- the token is its own proof.
		return;
	}
	nocache_headers();
	header( 'Cache-Control: no-store' );
	header( 'Referrer-Policy: no-referrer' );
	header( 'X-Robots-Tag: noindex' );

	$purpose = ( $_SERVER['HTTP_SEC_PURPOSE'] ?? '' ) . ( $_SERVER['HTTP_PURPOSE'] ?? '' );
	if ( 'GET' !== $_SERVER['REQUEST_METHOD'] || str_contains( strtolower( $purpose ), 'prefetch' ) ) {
		refuse( 'Open this link in a browser to sign in' );
	}
	$token = wp_unslash( $_GET[ PARAMETER ] ); // phpcs:ignore -- checked in take().
	$link  = is_string( $token ) ? take( $token ) : null;
	if ( null === $link ) {
		refuse( 'This sign-in link is unknown or was used already' );
	}
	if ( $link['expires'] < time() ) {
		refuse( 'This sign-in link has expired' );
	}
	$user = isset( $link['user'] ) ? get_user_by( 'id', (int) $link['user'] ) : get_user_by( 'login', (string) ( $link['login'] ?? '' ) );
	if ( ! $user ) {
		refuse( 'The user of this sign-in link is not there any more' );
	}
	wp_clear_auth_cookie(); // Of whoever was signed in before in this browser.
	wp_set_current_user( $user->ID );
	wp_set_auth_cookie( $user->ID, false );
	do_action( 'wp_login', $user->user_login, $user );
	wp_safe_redirect( destination( wp_unslash( $_GET['redirect_to'] ?? '' ) ) ); // phpcs:ignore -- checked in destination().
	exit;
}
// First of all, before a plugin redirects or renders; users and roles are there by now.
add_action( 'init', __NAMESPACE__ . '\sign_in', PHP_INT_MIN );
