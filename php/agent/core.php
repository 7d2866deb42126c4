<?php
/**
 * `core …`: WordPress itself.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

function core_version( Call $call ): int {
	line( $GLOBALS['wp_version'] );
	if ( $call->is( 'extra' ) ) {
		line( "Database revision: {$GLOBALS['wp_db_version']}" );
		line( 'Package language: ' . get_locale() );
	}
	return 0;
}

function core_is_installed(): int {
	return is_blog_installed() ? 0 : 1;
}

function core_update_db( Call $call ): int {
	require_once ABSPATH . 'wp-admin/includes/upgrade.php';
	$wanted = (int) $GLOBALS['wp_db_version'];
	$before = stored_db_version();
	if ( $before === $wanted ) {
		success( "WordPress database already at latest db version $wanted." );
		return 0;
	}
	if ( $before > $wanted ) {
		throw new Failure( "the database is of db version $before, newer than this core's $wanted; WordPress can't go back." );
	}
	if ( $call->is( 'dry-run' ) ) {
		success( "WordPress database will be upgraded from db version $before to $wanted." );
		return 0;
	}
	wp_upgrade();
	$after = stored_db_version();
	if ( $after !== $wanted ) {
		throw new Failure( "the upgrade ended at db version $after, not at $wanted." );
	}
	wp_cache_flush();
	success( "WordPress database upgraded successfully from db version $before to $after." );
	return 0;
}

/** As the database has it, not a cache. */
function stored_db_version(): int {
	global $wpdb;
	return (int) $wpdb->get_var( "SELECT option_value FROM $wpdb->options WHERE option_name = 'db_version'" );
}
