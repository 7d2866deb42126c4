<?php
/**
 * Functions of PHP that the platform does in another way; the pools disable PHP's own.
 *
 * Role: fastcgi_finish_request() tells the gateway that the answer is whole, instead of closing the
 * connection: with that would go all that the script says afterwards, such as errors of a run of
 * WordPress's cron. The connection stays until the script ends.
 *
 * Invariants:
 * - fastcgi_finish_request() is as PHP's own: true once, then false; all that is printed afterwards
 *   is dropped; headers have been sent.
 * - A site that writes the same words to its log ends its own answer early, and nothing else.
 * - A run of cron that the shard asked for answers when it ends.
 *
 * @package AIPress
 */

/** Ends the answer; the script goes on. */
function fastcgi_finish_request(): bool {
	static $is_finished = false;
	if ( $is_finished ) {
		return false;
	}
	$is_finished = true;
	if ( isset( $_SERVER['AIPRESS_CRON'] ) ) {
		return true; // The shard, which woke the site, waits until all is done.
	}
	while ( ob_get_level() > 0 && ob_end_flush() ) {
		continue;
	}
	// Headers go out with the first byte, and in no other way; the gateway takes that byte off again.
	$is_padded = ! headers_sent();
	if ( $is_padded ) {
		echo "\n";
	}
	flush();
	error_log( $is_padded ? 'aipress-finished padded' : 'aipress-finished', 4 );
	flush();
	ob_start( static fn() => '', 4096 );
	return true;
}
