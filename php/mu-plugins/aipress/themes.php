<?php
/**
 * The default themes that come with WordPress, shared from the core directory.
 *
 * Role: a site has them without a copy of its own. The gateway serves /wp-content/themes/X from
 * the tenant's folder and, when X is not there, from the core directory.
 *
 * Invariants:
 * - A theme of the same name in the tenant's folder wins, as it does at the gateway.
 * - No absolute path of a core directory is ever relied on from the database or a cache: it
 *   changes with WordPress's version.
 * - Shared themes are updated with WordPress, and cannot be deleted by a site.
 *
 * @package AIPress
 */

namespace AIPress\Themes;

/** Folder of the shared themes; no slash at the end. */
const SHARED = ABSPATH . 'wp-content/themes';

/**
 * Whether a theme is the shared one, not the tenant's own.
 *
 * Remembered for the request: a page asks 80 times, and under open_basedir every look at a file
 * costs as many system calls as its path has parts.
 */
function is_shared( string $theme ): bool {
	static $known = array();
	return $known[ $theme ] ??= ! is_dir( WP_CONTENT_DIR . '/themes/' . $theme ) && is_dir( SHARED . '/' . $theme );
}

// Of two folders with a theme of one name the later registered wins; WordPress registers the
// tenant's own after the must-use plugins.
register_theme_directory( SHARED );

/** Root of the theme that an option names, in the form of WordPress's *_root options. */
function root_of( string $option ): string {
	$theme = get_option( $option );
	return is_string( $theme ) && is_shared( $theme ) ? SHARED : '/themes';
}
add_filter( 'pre_option_stylesheet_root', static fn() => root_of( 'stylesheet' ) );
add_filter( 'pre_option_template_root', static fn() => root_of( 'template' ) );

// Stored for 30 minutes by search_theme_directories(), perhaps by another version of WordPress.
add_filter(
	'site_transient_theme_roots',
	static fn( $roots ) => is_array( $roots )
		? array_map( static fn( $root ) => '/themes' === $root ? $root : SHARED, $roots )
		: $roots
);

// A newer version of a shared theme is nothing that the site could install over it.
add_filter(
	'site_transient_update_themes',
	static function ( $updates ) {
		if ( isset( $updates->response ) && is_array( $updates->response ) ) {
			$updates->response = array_filter( $updates->response, static fn( $theme ) => ! is_shared( (string) $theme ), ARRAY_FILTER_USE_KEY );
		}
		return $updates;
	}
);

add_filter(
	'wp_prepare_themes_for_js',
	static function ( $themes ) {
		foreach ( $themes as $slug => $theme ) {
			if ( is_shared( (string) $slug ) ) {
				unset( $themes[ $slug ]['actions']['delete'] );
			}
		}
		return $themes;
	}
);
