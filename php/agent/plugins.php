<?php
/**
 * `plugin …`. Installing and updating is the platform's (crates/shard), which calls `activate` here.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

require_once ABSPATH . 'wp-admin/includes/plugin.php';
require_once ABSPATH . 'wp-admin/includes/file.php';
require_once __DIR__ . '/updates.php';

/** A plugin's name: its folder, or its file without `.php`. */
function plugin_name( string $file ): string {
	return str_contains( $file, '/' ) ? strtok( $file, '/' ) : basename( $file, '.php' );
}

/**
 * Every plugin, by name.
 *
 * @return array<int, array<string, mixed>>
 */
function all_plugins(): array {
	$known = updates_of( 'plugins' );
	$auto  = (array) get_site_option( 'auto_update_plugins', array() );
	$rows  = array();
	foreach ( get_plugins() as $file => $data ) {
		$rows[] = array(
			'name'   => plugin_name( $file ),
			'status' => is_plugin_active_for_network( $file ) ? 'active-network' : ( is_plugin_active( $file ) ? 'active' : 'inactive' ),
		) + $known->state( $file, (string) $data['Version'] ) + array(
			'auto_update' => in_array( $file, $auto, true ) ? 'on' : 'off',
		) + plugin_words( $file, $data );
	}
	foreach ( tenant_mu_plugins() as $path ) {
		$data   = get_plugin_data( $path, false, false );
		$rows[] = plugin_apart( basename( $path, '.php' ), 'must-use', basename( $path ), $data );
	}
	foreach ( get_dropins() as $file => $data ) {
		$rows[] = plugin_apart( $file, 'dropin', $file, $data );
	}
	return $rows;
}

/** @return string[] The tenant's own must-use plugins, also where they are not loaded. */
function tenant_mu_plugins(): array {
	$found = glob( WP_CONTENT_DIR . '/mu-plugins/*.php' );
	return is_array( $found ) ? $found : array();
}

/** What WordPress can't switch or update. */
function plugin_apart( string $name, string $status, string $file, array $data ): array {
	return array(
		'name'           => $name,
		'status'         => $status,
		'version'        => (string) ( $data['Version'] ?? '' ),
		'update'         => 'none',
		'update_version' => '',
		'auto_update'    => 'off',
	) + plugin_words( $file, $data );
}

function plugin_words( string $file, array $data ): array {
	return array(
		'title'       => (string) ( $data['Name'] ?? '' ),
		'author'      => wp_strip_all_tags( (string) ( $data['Author'] ?? '' ) ),
		'description' => wp_strip_all_tags( (string) ( $data['Description'] ?? '' ) ),
		'requires'    => (string) ( $data['RequiresWP'] ?? '' ),
		'requires_php' => (string) ( $data['RequiresPHP'] ?? '' ),
		'file'        => $file,
	);
}

/** The file of a plugin that is switched by WordPress; null when there is none of that name. */
function plugin_file( string $name ): ?string {
	foreach ( array_keys( get_plugins() ) as $file ) {
		if ( plugin_name( $file ) === $name || $file === $name ) {
			return $file;
		}
	}
	return null;
}

/** @return string[] Files of the plugins that were named; --all names all. */
function plugins_of( Call $call ): array {
	if ( $call->is( 'all' ) ) {
		return array_keys( get_plugins() );
	}
	if ( ! $call->words ) {
		throw new Failure( 'Please specify one or more plugins, or use --all.' );
	}
	$files = array();
	foreach ( $call->words as $name ) {
		$file = plugin_file( $name );
		if ( null === $file ) {
			warning( "The '$name' plugin could not be found." );
		} else {
			$files[ $name ] = $file;
		}
	}
	return $files;
}

/** The last line, as wp-cli has it, and the status. */
function sum_up( string $what, string $done, int $asked, int $succeeded ): int {
	if ( $succeeded === $asked ) {
		success( "$done $succeeded of $asked {$what}s." );
		return 0;
	}
	throw new Failure( 1 === $asked ? "No {$what}s " . strtolower( $done ) . '.' : "Only $done $succeeded of $asked {$what}s." );
}

const PLUGIN_FIELDS = array( 'name', 'status', 'update', 'version', 'update_version', 'auto_update' );

function plugin_list( Call $call ): int {
	$rows = all_plugins();
	foreach ( array( 'status', 'update', 'name' ) as $filter ) {
		if ( $call->has( $filter ) ) {
			$wanted = $call->items( $filter );
			$rows   = array_filter( $rows, static fn( $row ) => in_array( $row[ $filter ], $wanted, true ) );
		}
	}
	show_list( $call, array_values( $rows ), PLUGIN_FIELDS, 'name' );
	return 0;
}

function plugin_get( Call $call ): int {
	foreach ( all_plugins() as $row ) {
		if ( $row['name'] === $call->words[0] || $row['file'] === $call->words[0] ) {
			show_item( $call, $row, array( 'name', 'title', 'author', 'version', 'description', 'status' ) );
			return 0;
		}
	}
	throw new Failure( "The '{$call->words[0]}' plugin could not be found." );
}

function plugin_status( Call $call ): int {
	if ( $call->words ) {
		return plugin_get( $call );
	}
	$rows = all_plugins();
	line( count( $rows ) . ' installed plugins:' );
	foreach ( $rows as $row ) {
		$mark = array( 'active' => 'A', 'active-network' => 'N', 'must-use' => 'M', 'dropin' => 'D' )[ $row['status'] ] ?? 'I'; // phpcs:ignore
		line( ( 'available' === $row['update'] ? ' U' : '  ' ) . "$mark {$row['name']} {$row['version']}" );
	}
	line( '' );
	line( 'Legend: A = Active, I = Inactive, U = Update Available, M = Must Use, D = Drop-In, N = Network Active' );
	return 0;
}

function plugin_is_installed( Call $call ): int {
	return null === plugin_file( $call->words[0] ) ? 1 : 0;
}

function plugin_is_active( Call $call ): int {
	$file = plugin_file( $call->words[0] );
	return null !== $file && is_plugin_active( $file ) ? 0 : 1;
}

function plugin_activate( Call $call ): int {
	$files     = plugins_of( $call );
	$succeeded = 0;
	foreach ( $files as $file ) {
		$name = plugin_name( $file );
		if ( is_plugin_active( $file ) ) {
			warning( "Plugin '$name' is already active." );
			++$succeeded;
			continue;
		}
		$result = activate_plugin( $file );
		if ( is_wp_error( $result ) && 'unexpected_output' === $result->get_error_code() ) {
			// WordPress has activated it nevertheless.
			warning( "Plugin '$name' printed " . strlen( (string) $result->get_error_data() ) . ' bytes while it was activated.' );
		} elseif ( is_wp_error( $result ) ) {
			warning( "Failed to activate plugin '$name': " . html_entity_decode( wp_strip_all_tags( $result->get_error_message() ), ENT_QUOTES ) );
			continue;
		}
		line( "Plugin '$name' activated." );
		++$succeeded;
	}
	return sum_up( 'plugin', 'Activated', $call->is( 'all' ) ? count( $files ) : count( $call->words ), $succeeded );
}

function plugin_deactivate( Call $call ): int {
	$files     = plugins_of( $call );
	$succeeded = 0;
	foreach ( $files as $file ) {
		$name = plugin_name( $file );
		if ( ! is_plugin_active( $file ) ) {
			warning( "Plugin '$name' isn't active." );
		} else {
			// A plugin whose code is not loaded has no deactivation hook to run.
			deactivate_plugins( $file, false !== $call->skipped( 'skip-plugins' ) );
			line( "Plugin '$name' deactivated." );
		}
		++$succeeded;
		if ( $call->is( 'uninstall' ) ) {
			remove_plugin( $file, true );
		}
	}
	return sum_up( 'plugin', 'Deactivated', $call->is( 'all' ) ? count( $files ) : count( $call->words ), $succeeded );
}

/** Deletes a plugin's files, after its uninstaller where that is wanted. */
function remove_plugin( string $file, bool $uninstall ): bool {
	global $wp_filesystem;
	$name = plugin_name( $file );
	if ( $uninstall && is_uninstallable_plugin( $file ) ) {
		uninstall_plugin( $file );
	}
	WP_Filesystem();
	$path = WP_PLUGIN_DIR . '/' . ( str_contains( $file, '/' ) ? $name : $file );
	if ( ! $wp_filesystem->delete( $path, true ) ) {
		warning( "The '$name' plugin could not be deleted." );
		return false;
	}
	wp_clean_plugins_cache( false );
	line( $uninstall ? "Uninstalled and deleted '$name' plugin." : "Deleted '$name' plugin." );
	return true;
}

function plugin_delete( Call $call ): int {
	return delete_plugins_of( $call, false, 'Deleted' );
}

function plugin_uninstall( Call $call ): int {
	return delete_plugins_of( $call, true, 'Uninstalled' );
}

function delete_plugins_of( Call $call, bool $uninstall, string $done ): int {
	$succeeded = 0;
	foreach ( plugins_of( $call ) as $file ) {
		if ( is_plugin_active( $file ) ) {
			if ( ! $call->is( 'deactivate' ) ) {
				warning( "The '" . plugin_name( $file ) . "' plugin is active: deactivate it first." );
				continue;
			}
			deactivate_plugins( $file );
		}
		$succeeded += remove_plugin( $file, $uninstall ) ? 1 : 0;
	}
	return sum_up( 'plugin', $done, count( $call->words ), $succeeded );
}

function plugin_update_check( Call $call ): int {
	refresh_updates( 'plugins' );
	return plugin_list( $call );
}
