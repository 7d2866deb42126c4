<?php
/**
 * Functions of PHP that the platform does in another way; the pools disable PHP's own.
 *
 * Role: fastcgi_finish_request() tells the gateway that the answer is whole, instead of closing the
 * connection: with that would go all that the script says afterwards, such as errors of a run of
 * WordPress's cron. The connection stays until the script ends. mail() tells the site's log whom
 * a mail was for, and that it was not sent: the platform delivers none yet.
 *
 * Invariants:
 * - fastcgi_finish_request() is as PHP's own: true once, then false; all that is printed afterwards
 *   is dropped; headers have been sent.
 * - A site that writes the same words to its log ends its own answer early, and nothing else.
 * - A run of cron that the shard asked for answers when it ends.
 * - A mail of wp_mail() is told of once, by WordPress's own hooks (mu-plugins/aipress/logs.php).
 * - No subject and no text of a mail reaches the log.
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

/**
 * Refuses a mail, and says so in the site's log.
 *
 * @param string       $to                 Whom it is for.
 * @param string       $subject            What it is about.
 * @param string       $message            What it says.
 * @param array|string $additional_headers More of its head.
 * @param string       $additional_params  For the program that would send it.
 */
function mail( string $to, string $subject, string $message, $additional_headers = array(), string $additional_params = '' ): bool { // phpcs:ignore
	if ( true !== ( $GLOBALS['aipress_wp_mail'] ?? false ) ) {
		$line = array(
			'source'   => 'mail',
			'severity' => 'ERROR',
			'message'  => 'mail to ' . substr( $to, 0, 1000 ) . ' was not sent: this platform delivers no mail yet',
		);
		// 4: to the server, wherever a plugin has pointed PHP's own log.
		error_log( 'aipress-log ' . json_encode( $line, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES ), 4 );
	}
	return false;
}
