<?php
/**
 * XML-RPC: limited, or disabled.
 *
 * Role: `limited` leaves what apps for phones and desktops need and takes pingbacks away, by which
 * a site is made to send requests to strangers, and which is told to nobody; `disabled` answers 403.
 * Sign-ins by it are counted as all others are (attempts.php).
 *
 * @package AIPress
 */

namespace AIPress\Security\XmlRpc;

use function AIPress\Security\setting;

/** Without the methods that make this site call another. */
function methods( array $methods ): array {
	unset( $methods['pingback.ping'], $methods['pingback.extensions.getPingbacks'] );
	return $methods;
}

/** Without the header that announces pingbacks (WP::send_headers). */
function without_pingback( array $headers ): array {
	unset( $headers['X-Pingback'] );
	return $headers;
}

/** Ends a request to xmlrpc.php. */
function refuse(): never {
	status_header( 403 );
	header( 'Content-Type: text/plain; charset=utf-8' );
	header( 'Cache-Control: no-store' );
	exit( "XML-RPC is switched off on this site.\n" );
}

if ( 'disabled' === setting( 'xmlrpc' ) ) {
	if ( defined( 'XMLRPC_REQUEST' ) && XMLRPC_REQUEST ) {
		refuse();
	}
	remove_action( 'wp_head', 'rsd_link' );
}
add_filter( 'xmlrpc_methods', __NAMESPACE__ . '\methods' );
add_filter( 'wp_headers', __NAMESPACE__ . '\without_pingback' );
