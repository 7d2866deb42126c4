<?php
/**
 * What a site is hardened by, unless its document says otherwise (`spec.security`).
 *
 * Role: loads one file for each measure that is wanted; each hooks WordPress and nothing else.
 *
 * Invariants:
 * - A measure that is switched off leaves WordPress as it is: its file is not even loaded.
 * - A site.json without `security` (written by an older release) has every measure.
 * - Nothing here touches the database or Redis on an ordinary page.
 *
 * @package AIPress
 */

namespace AIPress\Security;

use AIPress\Site;

/** The measures that hold, with what is chosen where the document says nothing. */
const DEFAULTS = array(
	'xmlrpc'               => 'limited',
	'userEnumeration'      => false,
	'fileEditing'          => false,
	'unfilteredHtml'       => 'administrators',
	'headers'              => true,
	'applicationPasswords' => 'secure',
	'loginAttempts'        => 5,
);

/** What the document says of a measure, or its default. */
function setting( string $name ): mixed {
	return Site::current()->security[ $name ] ?? DEFAULTS[ $name ];
}

/** Whether this request comes over TLS, or from this machine itself. */
function is_private_way(): bool {
	$from = (string) ( $_SERVER['REMOTE_ADDR'] ?? '' );
	return is_ssl() || '::1' === $from || 1 === preg_match( '/^(::ffff:)?127\./i', $from );
}

if ( 'full' !== setting( 'xmlrpc' ) ) {
	require_once __DIR__ . '/security/xmlrpc.php';
}
if ( false === setting( 'userEnumeration' ) ) {
	require_once __DIR__ . '/security/users.php';
}
if ( 'editors' !== setting( 'unfilteredHtml' ) ) {
	require_once __DIR__ . '/security/html.php';
}
if ( true === setting( 'headers' ) ) {
	require_once __DIR__ . '/security/headers.php';
}
if ( setting( 'loginAttempts' ) > 0 ) {
	require_once __DIR__ . '/security/attempts.php';
}
require_once __DIR__ . '/security/application-passwords.php';
