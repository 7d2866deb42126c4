<?php
/**
 * Permalinks without a web server's rewrite file.
 *
 * Role: the gateway gives every path that is no file to index.php, so any permalink structure
 * works; WordPress, which knows Apache, nginx and IIS only, is told so.
 *
 * Invariants: .htaccess and web.config are never written, and no screen asks for it.
 *
 * @package AIPress
 */

namespace AIPress\Permalinks;

add_filter( 'got_url_rewrite', '__return_true' );
add_filter( 'flush_rewrite_rules_hard', '__return_false' );

// The Permalinks screen compares these with the .htaccess that is not there.
add_filter( 'mod_rewrite_rules', '__return_empty_string' );
