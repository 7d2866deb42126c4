<?php
/**
 * Headers that browsers protect visitors by.
 *
 * Role: set before anything else runs, so that a plugin's own header of the same name wins.
 *
 * Invariants:
 * - Nothing that the block editor, the customizer or an embed needs is refused: frames of the
 *   site's own origin are let in, and a post's embed is let in everywhere.
 * - No policy about scripts: no default one fits the plugins that there are.
 *
 * @package AIPress
 */

namespace AIPress\Security\Headers;

const FRAMES = 'Content-Security-Policy';

if ( 'cli' !== PHP_SAPI && ! headers_sent() ) {
	header( 'X-Content-Type-Options: nosniff' );
	header( 'Referrer-Policy: strict-origin-when-cross-origin' );
	header( FRAMES . ": frame-ancestors 'self'" );
}

/** A post's embed is made for other sites' pages (get_post_embed_html). */
function open_embeds(): void {
	if ( is_embed() && ! headers_sent() ) {
		header_remove( FRAMES );
	}
}
add_action( 'template_redirect', __NAMESPACE__ . '\open_embeds', 0 );
