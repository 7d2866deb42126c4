<?php
/**
 * A command line, read as wp-cli reads one: words, --name=value, --flag, --no-flag.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

final class Call {

	/** Options that every command takes. */
	private const GLOBALS = array( 'skip-plugins', 'skip-themes', 'user', 'quiet', 'prompt', 'no-color', 'color', 'debug', 'yes' );

	/** Options of wp-cli that mean nothing here, with why. */
	private const REFUSED = array(
		'path'    => 'the site that the command runs for is given by its name',
		'url'     => 'the site that the command runs for is given by its name',
		'require' => 'the agent runs no code that it is given; a wp-cli archive does',
		'exec'    => 'the agent runs no code that it is given; a wp-cli archive does',
		'ssh'     => 'the command runs where the site is',
		'http'    => 'the command runs where the site is',
	);

	/**
	 * @param string[]                   $words   What is no option, after the command's name.
	 * @param array<string, string|bool> $options By name.
	 */
	private function __construct(
		public readonly Command $command,
		public readonly array $words,
		private array $options
	) {
	}

	/** @param string[] $arguments As typed. */
	public static function from( array $arguments ): self {
		$words   = array();
		$options = array();
		$literal = false;
		foreach ( $arguments as $argument ) {
			if ( $literal || ! str_starts_with( $argument, '--' ) ) {
				$words[] = $argument;
			} elseif ( '--' === $argument ) {
				$literal = true;
			} elseif ( 1 === preg_match( '/^--([^=]+)=(.*)$/Ds', $argument, $parts ) ) {
				$options[ $parts[1] ] = $parts[2];
			} elseif ( str_starts_with( $argument, '--no-' ) ) {
				$options[ substr( $argument, 5 ) ] = false;
			} else {
				$options[ substr( $argument, 2 ) ] = true;
			}
		}
		if ( true === ( $options['help'] ?? null ) ) {
			unset( $options['help'] );
			$words = array( 'help', ...$words );
		}
		foreach ( array_intersect_key( self::REFUSED, $options ) as $name => $why ) {
			throw new Failure( "--$name is not available: $why." );
		}
		list( $command, $rest ) = Command::find( $words );
		$call                   = new self( $command, $rest, $options );
		$call->prompt();
		$unknown = array_diff( array_keys( $call->options ), self::GLOBALS, $command->options() );
		if ( $unknown && ! $command->takes_any_option() ) {
			throw new Failure( 'unknown --' . implode( ', --', $unknown ) . ".\nusage: wp {$command->usage()}" );
		}
		if ( count( $rest ) < $command->least_words() ) {
			throw new Failure( "something is missing.\nusage: wp {$command->usage()}" );
		}
		return $call;
	}

	public function run(): int {
		return ( $this->command->load() )( $this );
	}

	/** Text of an option; null when it was not given. */
	public function text( string $name, ?string $default = null ): ?string {
		$value = $this->options[ $name ] ?? $default;
		if ( true === $value ) {
			throw new Failure( "--$name needs a value: --$name=…" );
		}
		return false === $value ? $default : $value;
	}

	/** Whether a switch is on. */
	public function is( string $name ): bool {
		$value = $this->options[ $name ] ?? false;
		return true === $value || ( is_string( $value ) && ! in_array( strtolower( $value ), array( '', '0', 'false', 'no' ), true ) );
	}

	public function has( string $name ): bool {
		return array_key_exists( $name, $this->options );
	}

	/**
	 * A list separated by commas.
	 *
	 * @return string[]
	 */
	public function items( string $name ): array {
		return array_values( array_filter( array_map( 'trim', explode( ',', (string) $this->text( $name, '' ) ) ), 'strlen' ) );
	}

	/** --skip-plugins and --skip-themes: all (true), none (false), or those that are named. */
	public function skipped( string $name ): bool|array {
		$value = $this->options[ $name ] ?? false;
		return is_string( $value ) ? $this->items( $name ) : (bool) $value;
	}

	/**
	 * Options that are no global ones: fields of a post or user.
	 *
	 * @return array<string, string>
	 */
	public function fields(): array {
		return array_filter( array_diff_key( $this->options, array_flip( self::GLOBALS ) ), 'is_string' );
	}

	/** --prompt=user_pass reads the values from standard input, one a line, so that no process list shows them. */
	private function prompt(): void {
		foreach ( $this->items( 'prompt' ) as $name ) {
			$line = fgets( STDIN );
			if ( false === $line ) {
				throw new Failure( "--prompt=$name reads a line of standard input, and there is none: use --stdin." );
			}
			$this->options[ $name ] = rtrim( $line, "\r\n" );
		}
	}
}
