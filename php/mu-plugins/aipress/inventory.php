<?php
/**
 * Says that what the site has has changed, so that the platform looks again.
 *
 * Role: touches private/inventory-due when plugins or themes are switched, updated or deleted in
 * wp-admin; the shard compares its time now and then.
 *
 * Invariants: one touch in a request at most; nothing on an ordinary page.
 *
 * @package AIPress
 */

namespace AIPress\Inventory;

use AIPress\Site;

/** Leaves the mark. */
function mark(): void {
	static $is_marked = false;
	if ( ! $is_marked ) {
		$is_marked = true;
		@touch( Site::current()->site_dir . '/private/inventory-due' ); // A full disk must not break an update.
	}
}

foreach ( array( 'activated_plugin', 'deactivated_plugin', 'deleted_plugin', 'upgrader_process_complete', 'switch_theme', 'deleted_theme' ) as $aipress_hook ) {
	add_action( $aipress_hook, __NAMESPACE__ . '\mark' );
}
unset( $aipress_hook );
