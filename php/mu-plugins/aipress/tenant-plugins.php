<?php
/**
 * The tenant's own must-use plugins, in wp-content/mu-plugins.
 *
 * Role: finds them and makes their URLs right; aipress.php includes them.
 *
 * Invariants: as wp_get_mu_plugins() of WordPress: *.php of the folder itself, by name.
 *
 * @package AIPress
 */

namespace AIPress\TenantPlugins;

/** Folder of the tenant's own must-use plugins; need not exist. */
const FOLDER = WP_CONTENT_DIR . '/mu-plugins';

/** @return string[] Absolute paths in the order in which they are loaded. */
function files(): array {
	if ( defined( 'AIPRESS_SKIP_TENANT_PLUGINS' ) ) { // A command of agent.php with --skip-plugins.
		return array();
	}
	$names = is_dir( FOLDER ) ? (array) scandir( FOLDER ) : array();
	$names = array_filter( $names, static fn( $name ) => str_ends_with( (string) $name, '.php' ) );
	return array_map( static fn( $name ) => FOLDER . '/' . $name, array_values( $names ) );
}

// plugins_url() takes what is not below WPMU_PLUGIN_DIR for an ordinary plugin.
add_filter(
	'plugins_url',
	static function ( $url, $path, $plugin ) {
		$plugin = wp_normalize_path( (string) $plugin );
		$folder = wp_normalize_path( FOLDER );
		if ( ! str_starts_with( $plugin, $folder . '/' ) ) {
			return $url;
		}
		$below = dirname( substr( $plugin, strlen( $folder ) + 1 ) );
		$url   = content_url( 'mu-plugins' . ( '.' === $below ? '' : "/$below" ) );
		return '' === (string) $path ? $url : $url . '/' . ltrim( $path, '/' );
	},
	10,
	3
);
