<?php
/**
 * Screens and checks that would bother a site's owner with what the platform takes care of.
 *
 * Role: Site Health checks whose advice cannot or need not be followed here, and the question
 * whether the administration e-mail is still right, which would stand between a sign-in and the
 * dashboard every six months (the platform knows the owner's address itself).
 *
 * @package AIPress
 */

namespace AIPress\Screens;

add_filter( 'admin_email_check_interval', '__return_zero' );

/** @param array{direct: array<string, mixed>, async: array<string, mixed>} $tests Checks of Site Health. */
function relevant_tests( $tests ) {
	// WordPress's own background updates are off on purpose.
	unset( $tests['async']['background_updates'], $tests['direct']['plugin_theme_auto_updates'] );
	$host = (string) wp_parse_url( home_url(), PHP_URL_HOST );
	if ( 'localhost' === $host || str_ends_with( $host, '.localhost' ) ) {
		unset( $tests['async']['https_status'] ); // No authority signs such a name.
	}
	return $tests;
}
add_filter( 'site_status_tests', __NAMESPACE__ . '\relevant_tests' );
