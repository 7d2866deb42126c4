<?php
/**
 * How a command ends.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

/** Ends the command with its message; the code is the exit status. */
final class Failure extends \RuntimeException {
	public function __construct( string $message, int $status = 1 ) {
		parent::__construct( $message, $status );
	}
}

/** Whether the end is the agent's own. */
final class State {
	public static bool $ended = false;
}

/** Ends with this status. */
function finish( int $status ): never {
	State::$ended = true;
	spill();
	exit( $status ); // phpcs:ignore
}

/** Ends with a message; an empty one ends without words. */
function fail( string $message, int $status = 1 ): never {
	spill();
	if ( '' !== $message ) {
		fwrite( STDERR, "Error: $message\n" );
	}
	finish( $status );
}

/** What the site's code has printed goes where it disturbs nobody who reads the answer. */
function spill(): void {
	while ( ob_get_level() > 0 ) {
		$noise = (string) ob_get_clean();
		if ( '' !== trim( $noise ) ) {
			fwrite( STDERR, rtrim( $noise ) . "\n" );
		}
	}
}

/** Tells when it was not the agent that ended the process. */
function watch_end(): void {
	ob_start();
	register_shutdown_function(
		static function () {
			if ( State::$ended ) {
				return;
			}
			$error = error_get_last();
			$fatal = null !== $error && 0 !== ( $error['type'] & ( E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR ) );
			$why   = $fatal
				? strtok( $error['message'], "\n" ) . " in {$error['file']}:{$error['line']}"
				: 'it called exit';
			fail( "the site's own code ended the command: $why. Without its code: --skip-plugins --skip-themes" );
		}
	);
}
