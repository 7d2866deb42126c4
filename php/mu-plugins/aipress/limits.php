<?php
/**
 * Which of its limits the site meets, on every screen of wp-admin, for those who can do something.
 *
 * Role: the platform writes `limits.json` into the slot's folder while a limit is met, and takes it
 * away afterwards (shard/src/reconcilers/limits.rs). Its sentences are shown as they are.
 *
 * Invariants: nothing is read on pages of visitors; a file that is damaged shows nothing.
 *
 * @package AIPress
 */

namespace AIPress\Limits;

/** @return string[] Sentences. */
function met(): array {
	$file = ( $_SERVER['AIPRESS_SLOT_DIR'] ?? '' ) . '/limits.json'; // phpcs:ignore
	$text = is_readable( $file ) ? file_get_contents( $file ) : false; // phpcs:ignore
	$said = false === $text ? null : json_decode( $text, true );
	return is_array( $said['limits'] ?? null ) ? array_filter( $said['limits'], 'is_string' ) : array();
}

/** Shows them. */
function show(): void {
	if ( ! current_user_can( 'manage_options' ) ) {
		return;
	}
	foreach ( met() as $sentence ) {
		echo '<div class="notice notice-error aipress-limit"><p>' . esc_html( $sentence ) . '</p></div>';
	}
}
add_action( 'admin_notices', __NAMESPACE__ . '\show' );
add_action( 'network_admin_notices', __NAMESPACE__ . '\show' );
