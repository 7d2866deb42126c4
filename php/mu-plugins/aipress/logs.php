<?php
/**
 * What cron and mail did, for the site's log.
 *
 * Role: hands lines of the sources `cron` and `mail` to the gateway, which keeps the site's log, by
 * way of PHP's standard error: the request and its id come along by themselves.
 *
 * Invariants:
 * - Nothing on an ordinary page: only a run of cron, and a mail, write a line.
 * - No subject and no text of a mail; whom it was for, so that support can find it.
 * - The line is made of JSON without line breaks; what a plugin puts into it stays in its message.
 *
 * @package AIPress
 */

namespace AIPress\Logs;

/** Most events, and addresses, that a line names. */
const NAMED = 20;

/**
 * Writes a line.
 *
 * @param string $source   `cron` or `mail`.
 * @param string $severity `INFO`, `NOTICE`, `WARNING` or `ERROR`.
 * @param string $message  What it says.
 */
function write( string $source, string $severity, string $message ): void {
	$line = json_encode( compact( 'source', 'severity', 'message' ), JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES );
	if ( false !== $line ) {
		// 4: to the server, wherever a plugin has pointed PHP's own log.
		error_log( "aipress-log $line", 4 );
	}
}

/** The first of many, and how many more there are. */
function some( array $names ): string {
	$more = count( $names ) - NAMED;
	return implode( ', ', array_slice( $names, 0, NAMED ) ) . ( $more > 0 ? " and $more more" : '' );
}

/** Notes the events of a run of cron, and tells of them at its end, also when one of them ends it. */
function follow_cron(): void {
	$hooks = array();
	$begun = microtime( true );
	// WordPress takes each event off its list just before it runs it.
	add_filter(
		'pre_unschedule_event',
		static function ( $pre, $timestamp, $hook ) use ( &$hooks ) {
			if ( wp_doing_cron() && doing_cron_events() ) {
				$hooks[] = (string) $hook;
			}
			return $pre;
		},
		10,
		3
	);
	register_shutdown_function(
		static function () use ( &$hooks, $begun ) {
			if ( array() === $hooks ) {
				return;
			}
			$took  = number_format( microtime( true ) - $begun, 2 );
			$error = error_get_last();
			if ( null !== $error && 0 !== ( $error['type'] & ( E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR ) ) ) {
				write( 'cron', 'ERROR', 'event ' . end( $hooks ) . " ended the run after $took s; the run had: " . some( $hooks ) );
				return;
			}
			write( 'cron', 'INFO', count( $hooks ) . ( 1 === count( $hooks ) ? ' event' : ' events' ) . " in $took s: " . some( $hooks ) );
		}
	);
}

/** Whether the run is among its events, and not at a plugin that changes the list as it loads. */
function doing_cron_events(): bool {
	return did_action( 'wp_loaded' ) > 0;
}

/** Addresses of a mail as WordPress got them: a text with commas, or a list. */
function recipients( $to ): string {
	$all = is_array( $to ) ? $to : explode( ',', (string) $to );
	return some( array_map( static fn( $one ) => trim( (string) $one ), array_values( $all ) ) );
}

// A mail that went by mail() is told of by it (php/mail.php); one that a plugin sends itself, or that
// does not get that far, is told of here.
add_action(
	'phpmailer_init',
	static function () {
		$GLOBALS['aipress_mail_told'] = false;
	},
	PHP_INT_MAX
);
add_action(
	'wp_mail_failed',
	static function ( $error ) {
		if ( true === ( $GLOBALS['aipress_mail_told'] ?? false ) ) {
			return;
		}
		$data = $error instanceof \WP_Error ? $error->get_error_data() : array();
		$why  = $error instanceof \WP_Error ? $error->get_error_message() : 'unknown';
		write( 'mail', 'ERROR', 'mail to ' . recipients( $data['to'] ?? array() ) . " was not sent: $why" );
	}
);
add_action(
	'wp_mail_succeeded',
	static function ( $data ) {
		if ( true !== ( $GLOBALS['aipress_mail_told'] ?? false ) ) {
			write( 'mail', 'INFO', 'mail to ' . recipients( $data['to'] ?? array() ) . ' was handed over' );
		}
	}
);

if ( wp_doing_cron() ) {
	follow_cron();
}
