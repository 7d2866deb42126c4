<?php
/**
 * `theme …`.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

require_once ABSPATH . 'wp-admin/includes/theme.php';
require_once ABSPATH . 'wp-admin/includes/file.php';
require_once __DIR__ . '/updates.php';
require_once __DIR__ . '/plugins.php';

/**
 * Every theme.
 *
 * @return array<int, array<string, mixed>>
 */
function all_themes(): array {
	$known = updates_of( 'themes' );
	$auto  = (array) get_site_option( 'auto_update_themes', array() );
	$rows  = array();
	foreach ( wp_get_themes( array( 'errors' => null ) ) as $slug => $theme ) {
		$slug      = (string) $slug;
		$is_shared = \AIPress\Themes\is_shared( $slug );
		$state     = $known->state( $slug, (string) $theme->get( 'Version' ) );
		if ( $is_shared ) {
			// Comes with WordPress, and is updated with it.
			$state = array( 'update' => 'none', 'update_version' => '' ) + $state; // phpcs:ignore
		}
		$rows[] = array(
			'name'   => $slug,
			'status' => get_stylesheet() === $slug ? 'active' : ( get_template() === $slug ? 'parent' : 'inactive' ),
		) + $state + array(
			'auto_update' => in_array( $slug, $auto, true ) ? 'on' : 'off',
			'title'       => wp_strip_all_tags( (string) $theme->get( 'Name' ) ),
			'author'      => wp_strip_all_tags( (string) $theme->get( 'Author' ) ),
			'description' => wp_strip_all_tags( (string) $theme->get( 'Description' ) ),
			'template'    => $theme->get_template(),
			'shared'      => $is_shared,
			'broken'      => is_wp_error( $theme->errors() ) ? $theme->errors()->get_error_message() : '',
		);
	}
	return $rows;
}

const THEME_FIELDS = array( 'name', 'status', 'update', 'version', 'update_version', 'auto_update' );

function theme_list( Call $call ): int {
	$rows = all_themes();
	foreach ( array( 'status', 'update' ) as $filter ) {
		if ( $call->has( $filter ) ) {
			$rows = array_filter( $rows, static fn( $row ) => in_array( $row[ $filter ], $call->items( $filter ), true ) );
		}
	}
	show_list( $call, array_values( $rows ), THEME_FIELDS, 'name' );
	return 0;
}

function theme_get( Call $call ): int {
	foreach ( all_themes() as $row ) {
		if ( $row['name'] === $call->words[0] ) {
			show_item( $call, $row, array( 'name', 'title', 'author', 'version', 'description', 'status' ) );
			return 0;
		}
	}
	throw new Failure( "The '{$call->words[0]}' theme could not be found." );
}

function theme_is_installed( Call $call ): int {
	return wp_get_theme( $call->words[0] )->exists() ? 0 : 1;
}

function theme_activate( Call $call ): int {
	$slug  = $call->words[0];
	$theme = wp_get_theme( $slug );
	if ( ! $theme->exists() || is_wp_error( $theme->errors() ) ) {
		throw new Failure( $theme->exists() ? $theme->errors()->get_error_message() : "The '$slug' theme could not be found." );
	}
	if ( get_stylesheet() === $slug ) {
		warning( "The '$slug' theme is already active." );
		return 0;
	}
	or_throw( validate_theme_requirements( $slug ) );
	switch_theme( $slug );
	success( "Switched to '" . $theme->get( 'Name' ) . "' theme." );
	return 0;
}

/** Throws an error of WordPress as ours. */
function or_throw( mixed $result ): void {
	if ( is_wp_error( $result ) ) {
		throw new Failure( html_entity_decode( wp_strip_all_tags( $result->get_error_message() ), ENT_QUOTES ) );
	}
}

function theme_delete( Call $call ): int {
	$succeeded = 0;
	foreach ( $call->words as $slug ) {
		if ( ! wp_get_theme( $slug )->exists() ) {
			warning( "The '$slug' theme could not be found." );
		} elseif ( \AIPress\Themes\is_shared( $slug ) ) {
			warning( "The '$slug' theme comes with WordPress and is shared by all sites." );
		} elseif ( in_array( $slug, array( get_stylesheet(), get_template() ), true ) && ! $call->is( 'force' ) ) {
			warning( "Can't delete the currently active theme: $slug" );
		} elseif ( is_wp_error( delete_theme( $slug ) ) ) {
			warning( "The '$slug' theme could not be deleted." );
		} else {
			line( "Deleted '$slug' theme." );
			++$succeeded;
		}
	}
	return sum_up( 'theme', 'Deleted', count( $call->words ), $succeeded );
}
