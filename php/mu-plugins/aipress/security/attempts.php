<?php
/**
 * Sign-ins that fail again and again are slowed.
 *
 * Role: after some failures from an address each further one makes it wait, twice as long as the
 * last; meanwhile no password of it is looked at. Counts the form, XML-RPC and application
 * passwords alike.
 *
 * Invariants:
 * - By address, never by user name: nobody can lock another one out by failing in his name.
 * - A waiting address is told how long (429, Retry-After), and no attempt of it lengthens the wait.
 * - Who is signed in stays signed in.
 *
 * @package AIPress
 */

namespace AIPress\Security\Attempts;

use function AIPress\Security\setting;

/** How long an address's failures are remembered after the last, in seconds. */
const MEMORY = 900;

/** Longest wait, in seconds. */
const LONGEST = 300;

/** The visitor's address; of IPv6 the 64 bits that a provider gives to one customer (RFC 6177). */
function address(): string {
	$packed = @inet_pton( (string) ( $_SERVER['REMOTE_ADDR'] ?? '' ) );
	if ( false === $packed ) {
		return 'unknown';
	}
	return bin2hex( 16 === strlen( $packed ) && ! str_starts_with( $packed, "\0\0\0\0\0\0\0\0\0\0\xff\xff" ) ? substr( $packed, 0, 8 ) : $packed );
}

function key(): string {
	return 'aipress_attempts_' . address();
}

/** @return array{failures: int, until: int} What is remembered of this address. */
function remembered(): array {
	$found = get_transient( key() );
	return is_array( $found ) && isset( $found['failures'], $found['until'] ) ? $found : array(
		'failures' => 0,
		'until'    => 0,
	);
}

/** How many seconds this address has to wait; 0 when it need not. */
function wait(): int {
	return max( 0, remembered()['until'] - time() );
}

/** Another failure. Two at the same moment may count as one: the next one counts again. */
function count_failure(): void {
	$known    = remembered();
	$failures = $known['failures'] + 1;
	$over     = $failures - (int) setting( 'loginAttempts' );
	$until    = $over >= 0 ? time() + min( LONGEST, 2 ** min( $over + 1, 20 ) ) : 0;
	set_transient( key(), compact( 'failures', 'until' ), MEMORY + LONGEST );
}

/** The answer to who has to wait. */
function refusal( int $seconds ): \WP_Error {
	if ( ! headers_sent() ) {
		status_header( 429 );
		header( "Retry-After: $seconds" );
	}
	return new \WP_Error(
		'aipress_too_many_attempts',
		sprintf( '<strong>Error:</strong> Too many attempts to sign in failed from your address. Try again in %d seconds.', $seconds ),
		array( 'status' => 429 )
	);
}

/** First: who has to wait has no password looked at. */
function before( $user ) {
	if ( wait() > 0 ) {
		foreach ( array( 'wp_authenticate_username_password', 'wp_authenticate_email_password', 'wp_authenticate_application_password' ) as $way ) {
			remove_filter( 'authenticate', $way, 20 );
		}
	}
	return $user;
}

/** Last: whatever a plugin made of it. */
function after( $user ) {
	$seconds = wait();
	return $seconds > 0 && ! is_user_logged_in() ? refusal( $seconds ) : $user;
}

/** Counts what failed, but for fields left empty and for who waits. */
function failed( $username, $error = null ): void {
	$uncounted = array( 'aipress_too_many_attempts', 'empty_username', 'empty_password' );
	if ( is_wp_error( $error ) && array() !== array_intersect( $uncounted, $error->get_error_codes() ) ) {
		return;
	}
	count_failure();
}
add_filter( 'authenticate', __NAMESPACE__ . '\before', 1 );
add_filter( 'authenticate', __NAMESPACE__ . '\after', PHP_INT_MAX );
add_action( 'wp_login_failed', __NAMESPACE__ . '\failed', 10, 2 );

// Application passwords of the REST API do not pass the filter `authenticate`.
add_action( 'application_password_failed_authentication', __NAMESPACE__ . '\count_failure', 10, 0 );
add_filter( 'wp_is_application_passwords_available', static fn( $available ) => $available && ( ! isset( $_SERVER['PHP_AUTH_USER'] ) || 0 === wait() ), 20 );
