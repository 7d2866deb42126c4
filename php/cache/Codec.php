<?php
/**
 * How a PHP value is written as a Redis string, and read back as the same value.
 *
 * Invariants:
 * - Types survive: 1, "1", 1.0, true, false, null, '' and 0 come back as what they were.
 * - An integer is written in decimal and nothing else is, so that INCRBY works on it.
 * - What cannot be read (another version's format, a missing extension) is a miss, not an error.
 *
 * @package AIPress
 */

namespace AIPress\Cache;

final class Codec {

	/** Longer encoded values, in bytes, stay out of Redis: one would push out hundreds of others. */
	private const MAX_BYTES = 8 * 1024 * 1024;

	/** First byte of igbinary's header; serialize() begins with a letter, a number with a digit or '-'. */
	private const IGBINARY = "\0";

	/** The Redis string of a value; null when it cannot or should not be stored. */
	public static function encode( mixed $value ): ?string {
		if ( is_int( $value ) ) {
			return (string) $value;
		}
		try {
			// igbinary halves arrays like alloptions; for anything small serialize() is as good.
			$encoded = is_array( $value ) && function_exists( 'igbinary_serialize' )
				? igbinary_serialize( $value )
				: serialize( $value );
		} catch ( \Throwable $e ) {
			return null; // A closure or a database handle somewhere inside.
		}
		return is_string( $encoded ) && strlen( $encoded ) <= self::MAX_BYTES ? $encoded : null;
	}

	/**
	 * The value of a Redis string.
	 *
	 * @return array{0: bool, 1: mixed} Whether it could be read, and the value.
	 */
	public static function decode( string $encoded ): array {
		if ( self::is_integer( $encoded ) ) {
			return array( true, (int) $encoded );
		}
		try {
			if ( str_starts_with( $encoded, self::IGBINARY ) ) {
				if ( ! function_exists( 'igbinary_unserialize' ) ) {
					return array( false, null );
				}
				$value = @igbinary_unserialize( $encoded );
				return array( is_array( $value ), $value );
			}
			// phpcs:ignore -- what the tenant's own code stored; no neighbour can write under its prefix.
			$value = @unserialize( $encoded );
		} catch ( \Throwable $e ) {
			return array( false, null );
		}
		return array( false !== $value || 'b:0;' === $encoded, $value );
	}

	/** Whether a Redis string is an integer as encode() writes it. */
	public static function is_integer( string $encoded ): bool {
		return 1 === preg_match( '/^-?\d{1,19}$/D', $encoded );
	}
}
