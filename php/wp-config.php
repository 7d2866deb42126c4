<?php
/**
 * The wp-config.php of every WordPress core directory on this platform.
 *
 * Role: hands over to the platform's own config.php, which knows the tenant by the request.
 *
 * Invariants:
 * - The file is the same for every tenant and carries no secret and no path: the core directory
 *   is shared, read-only, and its opcodes are in a cache that all tenants share.
 * - Where config.php is comes from prepend.php, which the pools run first, else from AIPRESS_PHP_DIR
 *   of the FastCGI parameters or, on the command line, the environment. A visitor cannot set that:
 *   all that a visitor sends arrives as HTTP_*.
 *
 * @package AIPress
 */

if ( ! defined( 'AIPRESS_PHP_DIR' ) && empty( $_SERVER['AIPRESS_PHP_DIR'] ) ) {
	http_response_code( 503 );
	header( 'Cache-Control: no-store' );
	header( 'Retry-After: 10' );
	error_log( 'aipress: neither prepend.php ran nor is AIPRESS_PHP_DIR set; set auto_prepend_file of the pool, or the environment on the command line' );
	exit( 'This site cannot be reached this way.' );
}

require ( defined( 'AIPRESS_PHP_DIR' ) ? AIPRESS_PHP_DIR : $_SERVER['AIPRESS_PHP_DIR'] ) . '/config.php';

require_once ABSPATH . 'wp-settings.php';
