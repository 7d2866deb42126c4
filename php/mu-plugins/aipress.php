<?php
/**
 * Plugin Name: AIPress
 * Description: Fits WordPress to the platform it runs on: shared default themes, sign-in links, permalinks, updates, log lines, scheduled events, hardening.
 * Author: AIPress
 * License: Apache-2.0
 *
 * Role: loads the parts in aipress/, one concern each, then the tenant's own must-use plugins
 * (WPMU_PLUGIN_DIR is this folder, so WordPress does not look for them itself).
 *
 * Invariants: nothing here touches the database, Redis or the network on an ordinary page.
 *
 * @package AIPress
 */

require_once __DIR__ . '/aipress/themes.php';
require_once __DIR__ . '/aipress/login.php';
require_once __DIR__ . '/aipress/permalinks.php';
require_once __DIR__ . '/aipress/updates.php';
require_once __DIR__ . '/aipress/loopback.php';
require_once __DIR__ . '/aipress/logs.php';
require_once __DIR__ . '/aipress/screens.php';
require_once __DIR__ . '/aipress/security.php';
require_once __DIR__ . '/aipress/inventory.php';
require_once __DIR__ . '/aipress/cron.php';
require_once __DIR__ . '/aipress/cron-list.php';
require_once __DIR__ . '/aipress/limits.php';
if ( isset( $_SERVER['AIPRESS_SMOKE'] ) ) {
	require_once __DIR__ . '/aipress/smoke.php';
}
require_once __DIR__ . '/aipress/tenant-plugins.php';

// In this scope, because a plugin's variables are expected to be global.
foreach ( AIPress\TenantPlugins\files() as $aipress_file ) {
	include_once $aipress_file;
}
unset( $aipress_file );
