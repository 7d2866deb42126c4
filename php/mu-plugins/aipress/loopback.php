<?php
/**
 * Requests of a site to itself: Site Health, the theme and plugin editors, background jobs.
 *
 * Role: names under `localhost` mean this machine (RFC 6761, 6.3), but the resolver that PHP uses
 * does not know them; the site's own ones are given to curl with their address. The Host header
 * stays the site's, so the request goes through the edge like a visitor's.
 *
 * Invariants:
 * - Only the site's own hosts: no name of another site or of the platform is made reachable.
 * - Bounded in time: such a request needs a second worker of the same pool, and one that waits for
 *   a free worker holds one itself.
 *
 * @package AIPress
 */

namespace AIPress\Loopback;

use AIPress\Site;

/** Longest time, in seconds, that a site waits for itself. */
const TIMEOUT = 10;

/**
 * Host and port of a URL of this site; null for any other.
 *
 * @return ?array{0: string, 1: int}
 */
function own_address( string $url ): ?array {
	$parts = wp_parse_url( $url );
	$host  = strtolower( $parts['host'] ?? '' );
	$port  = $parts['port'] ?? null;
	if ( '' === $host || ! Site::current()->owns_host( null === $port ? $host : "$host:$port" ) ) {
		return null;
	}
	return array( $host, $port ?? ( 'https' === ( $parts['scheme'] ?? '' ) ? 443 : 80 ) );
}

/** @param mixed $handle The curl handle of a request that is about to be sent. */
function resolve( $handle, array $arguments, string $url ): void {
	$address = own_address( $url );
	if ( null !== $address && ( 'localhost' === $address[0] || str_ends_with( $address[0], '.localhost' ) ) ) {
		curl_setopt( $handle, CURLOPT_RESOLVE, array( "$address[0]:$address[1]:127.0.0.1" ) ); // phpcs:ignore
	}
}
add_action( 'http_api_curl', __NAMESPACE__ . '\resolve', 10, 3 );

/** @param array<string, mixed> $arguments Of a request. */
function bound( $arguments, $url ) {
	if ( null !== own_address( (string) $url ) ) {
		$arguments['timeout']     = min( (float) $arguments['timeout'], TIMEOUT );
		$arguments['redirection'] = min( (int) $arguments['redirection'], 3 );
	}
	return $arguments;
}
add_filter( 'http_request_args', __NAMESPACE__ . '\bound', PHP_INT_MAX, 2 );
