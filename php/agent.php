<?php
/**
 * The everyday `wp` commands, by the platform itself: `plugin list`, `option get`, …
 *
 * Role: the command line's entry; reads arguments, loads the site's WordPress, runs one command of
 * agent/. Command lines and outputs are those of wp-cli, where the command exists there. Runs in
 * the sandbox of a slot (drivers/src/local/exec), which says by AIPRESS_* of the environment whose
 * site it is.
 *
 * Invariants:
 * - Standard output has what the command answers and nothing else: what the site's own code prints
 *   goes to standard error.
 * - Ends with 0, or with 1 and a line `Error: …` on standard error, also when the site's code
 *   ends the process.
 * - With --skip-plugins --skip-themes no code of the tenant is loaded but wp-content/db.php.
 *
 * Deliberately absent: `eval` and all else of wp-cli; a wp-cli archive gives that.
 *
 * @package AIPress
 */

if ( 'cli' !== PHP_SAPI ) {
	http_response_code( 404 );
	exit;
}

require __DIR__ . '/site.php';
require __DIR__ . '/agent/failure.php';
require __DIR__ . '/agent/arguments.php';
require __DIR__ . '/agent/output.php';
require __DIR__ . '/agent/commands.php';
require __DIR__ . '/agent/load.php';

AIPress\Agent\watch_end();
try {
	$aipress_call = AIPress\Agent\Call::from( array_slice( $argv, 1 ) );
	if ( $aipress_call->command->needs_wordpress ) {
		AIPress\Agent\before_wordpress( $aipress_call );
		// In this scope: WordPress, and plugins, expect their variables to be global.
		require getenv( 'AIPRESS_CORE_DIR' ) . '/wp-load.php';
		AIPress\Agent\after_wordpress( $aipress_call );
	}
	AIPress\Agent\finish( $aipress_call->run() );
} catch ( AIPress\Agent\Failure $aipress_failure ) {
	AIPress\Agent\fail( $aipress_failure->getMessage(), $aipress_failure->getCode() );
}
