<?php
/**
 * Nobody can ask a site who its users are.
 *
 * Role: closes what answers differently for names that are there and names that are not, or lists
 * them: `?author=1`, the REST API's users, the users' sitemap, errors of signing in and of the
 * lost password. Archives of authors stay: a theme links them from posts on purpose.
 *
 * Invariants:
 * - Who writes posts (the block editor lists authors) and who lists users sees them as ever.
 * - Authors that come along with a post (`_embed`) stay: the post's page shows them, too.
 *
 * @package AIPress
 */

namespace AIPress\Security\Users;

/** Codes of WordPress's errors of signing in that say whether there is such a user. */
const TELLING = array( 'invalid_username', 'invalid_email', 'incorrect_password', 'invalidcombo' );

/** `?author=1` leads to a page whose address has the user's name: not found, whoever it is. */
function no_author_by_number( \WP $wp ): void {
	$asked = $_GET['author'] ?? $_POST['author'] ?? null; // phpcs:ignore -- only looked at.
	if ( null === $asked || is_admin() || current_user_can( 'edit_posts' ) || current_user_can( 'list_users' ) ) {
		return;
	}
	unset( $wp->query_vars['author'] );
	$wp->query_vars['error'] = '404';
	remove_action( 'template_redirect', 'redirect_canonical' );
}
add_action( 'parse_request', __NAMESPACE__ . '\no_author_by_number' );

/**
 * The REST API's users, asked for directly. Routes match without regard to case
 * (WP_REST_Server::match_request_to_handler).
 */
function no_users_by_rest( $response, $handler, \WP_REST_Request $request ) {
	$asked  = (string) ( $GLOBALS['wp']->query_vars['rest_route'] ?? '' );
	$direct = 0 === strcasecmp( untrailingslashit( $asked ), untrailingslashit( $request->get_route() ) );
	if ( ! $direct || 1 !== preg_match( '~^/wp/v2/users(/|$)~i', $request->get_route() ) || 'GET' !== $request->get_method() && 'HEAD' !== $request->get_method() ) {
		return $response;
	}
	if ( current_user_can( 'edit_posts' ) || current_user_can( 'list_users' ) || 1 === preg_match( '~^/wp/v2/users/me(/|$)~i', $request->get_route() ) ) {
		return $response;
	}
	return new \WP_Error( 'rest_user_cannot_view', 'This site does not list its users.', array( 'status' => rest_authorization_required_code() ) );
}
add_filter( 'rest_request_before_callbacks', __NAMESPACE__ . '\no_users_by_rest', 10, 3 );

add_filter( 'wp_sitemaps_add_provider', static fn( $provider, $name ) => 'users' === $name ? false : $provider, 10, 2 );

/**
 * One error for a wrong name and a wrong password, in the same time: for a name that is not there
 * the password is hashed as it would be to compare it.
 */
function one_error( $user, $username, $password ) {
	if ( ! is_wp_error( $user ) || array() === array_intersect( TELLING, $user->get_error_codes() ) ) {
		return $user;
	}
	if ( 'incorrect_password' !== $user->get_error_code() ) {
		wp_hash_password( (string) $password );
	}
	return new \WP_Error(
		'aipress_not_signed_in',
		'<strong>Error:</strong> The user name or the password is not right. <a href="' . esc_url( wp_lostpassword_url() ) . '">Lost your password?</a>'
	);
}
add_filter( 'authenticate', __NAMESPACE__ . '\one_error', 99, 3 );
add_filter( 'shake_error_codes', static fn( $codes ) => array( ...(array) $codes, 'aipress_not_signed_in' ) );

/** A password asked for a name that is not there gets the answer that a known one gets. */
function same_answer_for_lost( $errors ): void {
	if ( ! is_wp_error( $errors ) || 'POST' !== ( $_SERVER['REQUEST_METHOD'] ?? '' ) ) {
		return;
	}
	$codes = $errors->get_error_codes();
	if ( array() !== $codes && array() === array_diff( $codes, TELLING ) ) {
		wp_safe_redirect( 'wp-login.php?checkemail=confirm' );
		exit;
	}
}
add_action( 'lost_password', __NAMESPACE__ . '\same_answer_for_lost' );
