<?php
/**
 * PHP's mail(), which the platform does in another way; the pools disable PHP's own.
 *
 * Role: hands the mail to the shard, over a socket whose other end knows by the kernel which site this
 * is (shard/src/mail/intake.rs), and says in the site's log what came of it. Delivered is it from
 * there, now or later; a mail that the shard does not take is refused at once: mail() is false then.
 *
 * Invariants:
 * - No subject and no text of a mail reaches the log.
 * - What would send it (`$additional_params`, sendmail's) is nobody's business: it is left out. The
 *   address that bounces go to is the platform's.
 * - Bounded in time, whatever the shard does.
 *
 * @package AIPress
 */

namespace AIPress\Mail {

	/** Seconds that the shard may take. It answers from memory and disk. */
	const PATIENCE = 20;

	/**
	 * Hands a mail over.
	 *
	 * @param string[] $texts To, subject, message, headers.
	 * @return array{0: bool, 1: string} Whether it was taken, with its id or why not.
	 */
	function hand_over( array $texts ): array {
		$slot   = (string) ( \getenv( 'AIPRESS_SLOT_DIR' ) ?: $_SERVER['AIPRESS_SLOT_DIR'] ?? '' );
		$tenant = (string) ( \getenv( 'AIPRESS_TENANT_UID' ) ?: $_SERVER['AIPRESS_TENANT_UID'] ?? '' );
		$shard  = \dirname( $slot, 2 );
		$socket = \dirname( $shard, 2 ) . '/run/' . \basename( $shard ) . '/mail.sock';
		$stream = @\stream_socket_client( "unix://$socket", $code, $reason, 5 );
		if ( false === $stream ) {
			return array( false, 'the platform takes no mail at the moment' );
		}
		\stream_set_timeout( $stream, PATIENCE );
		$texts[] = $tenant;
		$frame   = '';
		foreach ( $texts as $text ) {
			$frame .= \strlen( $text ) . ':' . $text . ',';
		}
		$at = 0;
		while ( $at < \strlen( $frame ) ) {
			$written = @\fwrite( $stream, \substr( $frame, $at, 65536 ) );
			if ( ! $written ) {
				break; // It may have been refused already: the answer says why.
			}
			$at += $written;
		}
		$answer = (string) @\fgets( $stream, 4096 );
		\fclose( $stream );
		if ( '' === $answer ) {
			return array( false, 'the platform did not answer' );
		}
		return array( '+' === $answer[0], \trim( \substr( $answer, 1 ) ) );
	}

	/** Says in the site's log what came of it. */
	function tell( bool $is_taken, string $to, string $words ): void {
		$to = \substr( $to, 0, 1000 );
		if ( 'cli' === PHP_SAPI ) {
			// Nobody but whoever typed the command hears it.
			$is_taken || \fwrite( STDERR, "mail to $to was not sent: $words\n" );
			return;
		}
		$line = array(
			'source'   => 'mail',
			'severity' => $is_taken ? 'INFO' : 'ERROR',
			'message'  => $is_taken ? "mail $words to $to was taken" : "mail to $to was not sent: $words",
		);
		// 4: to the server, wherever a plugin has pointed PHP's own log.
		\error_log( 'aipress-log ' . \json_encode( $line, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES ), 4 );
	}
}

namespace {

	/**
	 * Sends a mail.
	 *
	 * @param string       $to                 Whom it is for.
	 * @param string       $subject            What it is about.
	 * @param string       $message            What it says.
	 * @param array|string $additional_headers More of its head.
	 * @param string       $additional_params  For the program that would send it.
	 */
	function mail( string $to, string $subject, string $message, $additional_headers = array(), string $additional_params = '' ): bool { // phpcs:ignore
		$headers = $additional_headers;
		if ( is_array( $headers ) ) {
			$lines = array();
			foreach ( $headers as $name => $values ) {
				foreach ( (array) $values as $value ) {
					$lines[] = "$name: $value";
				}
			}
			$headers = implode( "\r\n", $lines );
		}
		list( $is_taken, $words ) = AIPress\Mail\hand_over( array( $to, $subject, $message, (string) $headers ) );
		AIPress\Mail\tell( $is_taken, $to, $words );
		$GLOBALS['aipress_mail_told'] = true;
		return $is_taken;
	}
}
