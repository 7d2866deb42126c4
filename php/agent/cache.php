<?php
/**
 * `cache flush`, `transient …`, `rewrite flush`.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

function cache_flush(): int {
	if ( ! wp_cache_flush() ) {
		throw new Failure( 'The object cache could not be flushed.' );
	}
	success( 'The cache was flushed.' );
	return 0;
}

function rewrite_flush( Call $call ): int {
	flush_rewrite_rules( $call->is( 'hard' ) );
	success( 'Rewrite rules flushed.' );
	return 0;
}

function transient_get( Call $call ): int {
	$name  = $call->words[0];
	$value = $call->is( 'network' ) ? get_site_transient( $name ) : get_transient( $name );
	if ( false === $value ) {
		throw new Failure( "Transient with key \"$name\" is not set." );
	}
	show_value( $call, $value );
	return 0;
}

function transient_delete( Call $call ): int {
	global $wpdb;
	if ( $call->is( 'expired' ) ) {
		delete_expired_transients( true );
		success( 'Expired transients deleted from the database.' );
		return 0;
	}
	if ( $call->is( 'all' ) ) {
		$names = $wpdb->get_col( "SELECT option_name FROM $wpdb->options WHERE option_name LIKE '\\_transient\\_%' OR option_name LIKE '\\_site\\_transient\\_%'" );
		array_map( 'delete_option', $names );
		foreach ( array( 'transient', 'site-transient' ) as $group ) {
			if ( wp_using_ext_object_cache() ) {
				wp_cache_flush_group( $group );
			}
		}
		success( count( $names ) . ' transients deleted from the database, and those of the object cache.' );
		return 0;
	}
	if ( ! $call->words ) {
		throw new Failure( 'Please specify transient key, or use --all or --expired.' );
	}
	$name = $call->words[0];
	if ( $call->is( 'network' ) ? delete_site_transient( $name ) : delete_transient( $name ) ) {
		success( 'Transient deleted.' );
	} else {
		warning( "Transient '$name' was not there." );
	}
	return 0;
}
