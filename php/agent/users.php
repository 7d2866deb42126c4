<?php
/**
 * `user …` and `role …`.
 *
 * Invariants: a password that is chosen here is printed once, and never when it was given.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

/** Most users of a list that asks for no number. */
const USERS_MAX = 100000;

/** A user by id, e-mail address or login. */
function find_user( string $which ): \WP_User {
	$user = ctype_digit( $which ) ? get_user_by( 'id', (int) $which ) : false;
	$user = $user ? $user : get_user_by( str_contains( $which, '@' ) ? 'email' : 'login', $which );
	$user = $user ? $user : get_user_by( 'login', $which );
	if ( ! $user ) {
		throw new Failure( "Invalid user ID, email or login: '$which'" );
	}
	return $user;
}

/** @return array<string, mixed> */
function user_fields( \WP_User $user ): array {
	return array(
		'ID'                  => $user->ID,
		'user_login'          => $user->user_login,
		'display_name'        => $user->display_name,
		'user_email'          => $user->user_email,
		'user_registered'     => $user->user_registered,
		'roles'               => implode( ',', $user->roles ),
		'user_nicename'       => $user->user_nicename,
		'user_url'            => $user->user_url,
		'user_status'         => $user->user_status,
		'first_name'          => $user->first_name,
		'last_name'           => $user->last_name,
		'nickname'            => $user->nickname,
		'description'         => $user->description,
	);
}

function user_list( Call $call ): int {
	$query = array(
		'number'  => (int) $call->text( 'number', (string) USERS_MAX ),
		'offset'  => (int) $call->text( 'offset', '0' ),
		'orderby' => $call->text( 'orderby', 'ID' ),
		'order'   => $call->text( 'order', 'ASC' ),
	);
	if ( $call->has( 'role' ) ) {
		$query['role'] = $call->text( 'role' );
	}
	if ( $call->has( 'search' ) ) {
		$query['search'] = '*' . $call->text( 'search' ) . '*';
	}
	$rows = array_map( __NAMESPACE__ . '\user_fields', get_users( $query ) );
	show_list( $call, $rows, array( 'ID', 'user_login', 'display_name', 'user_email', 'user_registered', 'roles' ), 'ID' );
	return 0;
}

function user_get( Call $call ): int {
	show_item( $call, user_fields( find_user( $call->words[0] ) ), array( 'ID', 'user_login', 'display_name', 'user_email', 'user_registered', 'roles' ) );
	return 0;
}

/** Refuses a role that there is not. */
function known_role( string $role ): string {
	if ( '' !== $role && null === get_role( $role ) ) {
		throw new Failure( "Role doesn't exist: $role. There are " . implode( ', ', array_keys( wp_roles()->roles ) ) . '.' );
	}
	return $role;
}

/** The result of a WordPress function, or its error as ours. */
function or_fail( mixed $result ): mixed {
	if ( is_wp_error( $result ) ) {
		throw new Failure( html_entity_decode( wp_strip_all_tags( $result->get_error_message() ), ENT_QUOTES ) );
	}
	return $result;
}

function user_create( Call $call ): int {
	list( $login, $email ) = $call->words;
	if ( username_exists( $login ) ) {
		throw new Failure( "The '$login' username is already registered." );
	}
	if ( ! is_email( $email ) ) {
		throw new Failure( "The '$email' email address is invalid." );
	}
	$given = $call->text( 'user_pass' );
	$data  = array(
		'user_login' => $login,
		'user_email' => $email,
		'user_pass'  => $given ?? wp_generate_password( 24 ),
		'role'       => known_role( (string) $call->text( 'role', (string) get_option( 'default_role' ) ) ),
	);
	foreach ( array( 'display_name', 'first_name', 'last_name' ) as $name ) {
		if ( $call->has( $name ) ) {
			$data[ $name ] = $call->text( $name );
		}
	}
	$id = or_fail( wp_insert_user( wp_slash( $data ) ) );
	if ( $call->is( 'send-email' ) ) {
		wp_new_user_notification( $id, null, 'both' );
	}
	if ( $call->is( 'porcelain' ) ) {
		line( (string) $id );
		return 0;
	}
	success( "Created user $id." );
	if ( null === $given ) {
		line( "Password: {$data['user_pass']}" );
	}
	return 0;
}

function user_update( Call $call ): int {
	$data = $call->fields();
	unset( $data['ID'], $data['user_login'] );
	if ( ! $data ) {
		throw new Failure( 'Need some fields to update.' );
	}
	if ( isset( $data['role'] ) ) {
		known_role( $data['role'] );
	}
	if ( $call->is( 'skip-email' ) ) {
		add_filter( 'send_email_change_email', '__return_false' );
		add_filter( 'send_password_change_email', '__return_false' );
	}
	foreach ( array_map( __NAMESPACE__ . '\find_user', $call->words ) as $user ) {
		or_fail( wp_update_user( wp_slash( array( 'ID' => $user->ID ) + $data ) ) );
		success( "Updated user {$user->ID}." );
	}
	return 0;
}

function user_delete( Call $call ): int {
	require_once ABSPATH . 'wp-admin/includes/user.php';
	$reassign = $call->text( 'reassign' );
	if ( null === $reassign && ! $call->is( 'yes' ) ) {
		throw new Failure( 'this deletes their posts, too: say --reassign=<id> to keep those, or --yes.' );
	}
	$heir  = null === $reassign ? null : find_user( $reassign )->ID;
	$users = array_map( __NAMESPACE__ . '\find_user', $call->words );
	foreach ( $users as $user ) {
		if ( $user->ID === $heir ) {
			throw new Failure( 'who gets the posts is deleted, too.' );
		}
	}
	foreach ( $users as $user ) {
		if ( ! wp_delete_user( $user->ID, $heir ) ) {
			throw new Failure( "Failed deleting user {$user->ID}." );
		}
		success( "Removed user {$user->ID}." );
	}
	return 0;
}

function user_set_role( Call $call ): int {
	$user = find_user( $call->words[0] );
	$role = known_role( $call->words[1] ?? (string) get_option( 'default_role' ) );
	$user->set_role( $role );
	success( "Added {$user->user_login} ({$user->ID}) to " . site_url() . " as $role." );
	return 0;
}

function role_list( Call $call ): int {
	$rows = array();
	foreach ( wp_roles()->roles as $role => $details ) {
		$rows[] = array(
			'name' => $details['name'],
			'role' => $role,
		);
	}
	show_list( $call, $rows, array( 'name', 'role' ), 'role' );
	return 0;
}
