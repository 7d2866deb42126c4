<?php
/**
 * Updates of WordPress itself, which are the platform's business.
 *
 * Role: no site checks for them, is nagged about them or could install them (the core directory
 * is shared and read-only). Plugins and a site's own themes are updated as everywhere.
 *
 * @package AIPress
 */

namespace AIPress\Updates;

/** What wp_version_check() would store when there is nothing newer, as if it had just asked. */
function nothing_newer(): object {
	return (object) array(
		'last_checked'    => time(),
		'updates'         => array(),
		'version_checked' => $GLOBALS['wp_version'],
	);
}
add_filter( 'pre_site_transient_update_core', __NAMESPACE__ . '\nothing_newer' );
add_action( 'init', static fn() => remove_action( 'wp_version_check', 'wp_version_check' ) );

// Hides "update now" wherever WordPress asks for the capability first.
add_filter(
	'map_meta_cap',
	static fn( $caps, $cap ) => 'update_core' === $cap ? array( 'do_not_allow' ) : $caps,
	10,
	2
);
