<?php
/**
 * `aipress inventory`: what the site has, as one JSON document (aipress_api::inventory).
 *
 * Invariants:
 * - Reads only; asks no host. What is newer is what WordPress itself heard last, and `unknown` where
 *   it heard nothing.
 * - Bounded: lists are cut at their MAX, counts are not.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

require_once __DIR__ . '/plugins.php';
require_once __DIR__ . '/themes.php';
require_once __DIR__ . '/core.php';

/** Longest list of plugins, of themes. */
const INVENTORY_ITEMS_MAX = 300;

/** Administrators that are named. */
const INVENTORY_ADMINS_MAX = 50;

/** Longest text of a field, in characters. */
const INVENTORY_TEXT_MAX = 200;

/** Sessions that are looked through for the last login. */
const INVENTORY_SESSIONS_MAX = 500;

function inventory(): int {
	line( as_json( inventory_document() ) );
	return 0;
}

/** @return array<string, mixed> */
function inventory_document(): array {
	$counts = count_users();
	unset( $counts['avail_roles']['none'] );
	return array(
		'wordpressVersion'   => (string) $GLOBALS['wp_version'],
		'databaseVersion'    => stored_db_version(),
		'phpVersion'         => PHP_VERSION,
		'phpExtensions'      => inventory_extensions(),
		'siteUrl'            => home_url(),
		'locale'             => get_locale(),
		'multisite'          => is_multisite(),
		'permalinkStructure' => (string) get_option( 'permalink_structure' ),
		'plugins'            => array_map( __NAMESPACE__ . '\inventory_item', array_slice( all_plugins(), 0, INVENTORY_ITEMS_MAX ) ),
		'pluginsCheckedAt'   => inventory_time( updates_of( 'plugins' )->checked_at ),
		'themes'             => array_map( __NAMESPACE__ . '\inventory_item', array_slice( all_themes(), 0, INVENTORY_ITEMS_MAX ) ),
		'themesCheckedAt'    => inventory_time( updates_of( 'themes' )->checked_at ),
		'users'              => array(
			'total'          => (int) $counts['total_users'],
			'byRole'         => (object) array_map( 'intval', $counts['avail_roles'] ),
			'administrators' => array_column( get_users( array( 'role' => 'administrator', 'number' => INVENTORY_ADMINS_MAX, 'orderby' => 'ID' ) ), 'user_login' ), // phpcs:ignore
		),
		'content'            => array(
			'posts'       => inventory_posts( 'post' ),
			'pages'       => inventory_posts( 'page' ),
			'attachments' => inventory_posts( 'attachment' ),
			'comments'    => (int) wp_count_comments()->approved,
		),
		'lastLoginAt'        => inventory_time( inventory_last_login() ),
	);
}

/** @return string[] */
function inventory_extensions(): array {
	$names = array_map( 'strtolower', get_loaded_extensions() );
	sort( $names );
	return $names;
}

/** @param array<string, mixed> $row Of all_plugins() or all_themes(). */
function inventory_item( array $row ): array {
	$text = static fn( $value ) => mb_substr( (string) $value, 0, INVENTORY_TEXT_MAX );
	return array(
		'name'          => $text( $row['name'] ),
		'title'         => $text( $row['title'] ),
		'version'       => $text( $row['version'] ),
		'status'        => $row['status'],
		'autoUpdate'    => 'on' === $row['auto_update'],
		'update'        => $row['update'],
		'updateVersion' => '' === $row['update_version'] ? null : $text( $row['update_version'] ),
	);
}

function inventory_posts( string $type ): int {
	$counts = (array) wp_count_posts( $type );
	return (int) ( $counts[ 'attachment' === $type ? 'inherit' : 'publish' ] ?? 0 );
}

/** As RFC 3339 has it. */
function inventory_time( ?int $unix ): ?string {
	return null === $unix || $unix <= 0 ? null : gmdate( 'Y-m-d\TH:i:s\Z', $unix );
}

/** When somebody last signed in, as far as their session is still there. */
function inventory_last_login(): ?int {
	global $wpdb;
	$last  = null;
	$found = $wpdb->get_col( $wpdb->prepare( "SELECT meta_value FROM $wpdb->usermeta WHERE meta_key = 'session_tokens' LIMIT %d", INVENTORY_SESSIONS_MAX ) );
	foreach ( $found as $text ) {
		$sessions = @unserialize( $text, array( 'allowed_classes' => false ) ); // phpcs:ignore
		foreach ( is_array( $sessions ) ? $sessions : array() as $session ) {
			$last = max( (int) $last, (int) ( $session['login'] ?? 0 ) );
		}
	}
	return $last;
}
