<?php
/**
 * Says where the platform's PHP is, and confines a request to what is its tenant's.
 *
 * Role: runs before every script (auto_prepend_file of the pools). Sets open_basedir, which a
 * pool's own configuration could do as well, but at a price: PHP gives up its cache of resolved
 * paths when open_basedir is there from the start, and WordPress asks for so many files that a home
 * page costs 34,000 system calls instead of 850, and half as much CPU again.
 *
 * Invariants:
 * - It cannot be undone: once set, PHP refuses to widen, empty or ini_restore() it in this request.
 * - The site's folder is found by the uid that the gateway routed to, not by a link whose target a
 *   worker may remember from its slot's former tenant. Without a uid there is no such folder.
 * - On the command line, where DOCUMENT_ROOT is empty, the core is AIPRESS_CORE_DIR of the environment,
 *   which the platform sets for commands (drivers/src/local/exec). A visitor can't set it: all that
 *   a visitor sends arrives as HTTP_*. Without both only this folder is left.
 * - Every path ends with a slash; without one it is the beginning of a name, and slots/1 would
 *   include slots/10.
 * - AIPRESS_SMOKE is the platform's own, as AIPRESS_TENANT_UID is: no visitor can send it.
 *
 * What keeps tenants apart is the Unix user of each slot; this is a second line of defence.
 *
 * @package AIPress
 */

namespace AIPress;

\define( 'AIPRESS_PHP_DIR', __DIR__ );

/** Confines this request. */
function confine( array $server ): void {
	$folders = array( __DIR__ . '/' );
	$core    = $server['DOCUMENT_ROOT'] ?? '';
	if ( 'cli' === PHP_SAPI && '' === $core ) {
		$core = $server['AIPRESS_CORE_DIR'] ?? '';
		if ( \is_string( $server['AIPRESS_WP_CLI_DIR'] ?? null ) ) {
			$folders[] = $server['AIPRESS_WP_CLI_DIR'] . '/';
		}
	}
	$is_deep = static fn( $path ) => \is_string( $path ) && 1 === \preg_match( '~^(/[^/]+){3}~', $path ); // dirname() is not to be "/".
	if ( $is_deep( $core ) && $is_deep( $server['AIPRESS_SLOT_DIR'] ?? '' ) ) {
		\array_unshift( $folders, \dirname( $core ) . '/' ); // All versions of WordPress; asked for most.
		$folders[] = $server['AIPRESS_SLOT_DIR'] . '/';
		if ( 1 === \preg_match( '/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/D', $server['AIPRESS_TENANT_UID'] ?? '' ) ) {
			$folders[] = \dirname( $server['AIPRESS_SLOT_DIR'], 2 ) . "/sites/{$server['AIPRESS_TENANT_UID']}/";
		}
	}
	\ini_set( 'open_basedir', \implode( PATH_SEPARATOR, $folders ) );
}
confine( $_SERVER );

// A site over its limit reads and deletes; it writes no byte to a file (drivers/src/local/share). A
// worker that runs already is told by the platform.
if ( \function_exists( 'posix_setrlimit' ) && \is_string( $_SERVER['AIPRESS_SLOT_DIR'] ?? null ) && \is_file( $_SERVER['AIPRESS_SLOT_DIR'] . '/full' ) ) {
	\posix_setrlimit( POSIX_RLIMIT_FSIZE, 0, 0 );
}

// A look of the platform after a change (shard/src/smoke.rs) must run what lies on disk now, and not
// what the opcode cache took a moment ago: PHP compares the time of every file.
if ( isset( $_SERVER['AIPRESS_SMOKE'] ) ) {
	\ini_set( 'opcache.revalidate_freq', '0' );
}

if ( 'fpm-fcgi' === PHP_SAPI && ! \function_exists( 'fastcgi_finish_request' ) ) {
	require __DIR__ . '/functions.php';
}
if ( ! \function_exists( 'mail' ) ) {
	require __DIR__ . '/mail.php';
}
