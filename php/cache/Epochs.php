<?php
/**
 * The epochs of a tenant's cache: the part of every key that makes older values unreachable.
 *
 * Role: flushing is a change of the epoch, because a tenant must not run FLUSHDB or SCAN in a
 * Redis that it shares. One hash `<prefix>epoch` holds the field `all`, and `g:<group>` for each
 * group that was ever flushed by itself; Redis's own eviction takes the unreachable values away.
 *
 * Invariants:
 * - An epoch is random, never a counter: when the hash is evicted or lost, the next request
 *   starts a new epoch, and a counter would come back to a value that still has old keys.
 * - Two different pairs of group and key never share a Redis key.
 *
 * @package AIPress
 */

namespace AIPress\Cache;

final class Epochs {

	/** Bounds what every request reads; WordPress and common plugins have about 60 groups. */
	private const MAX_FIELDS = 200;

	/** @var array<string, string> Fields of the hash as last read. */
	private array $fields = array();

	/** @param string $prefix What every key of the tenant begins with; its Redis user can reach no other. */
	public function __construct( public readonly string $prefix ) {
	}

	/** The Redis key of the hash. */
	public function hash_key(): string {
		return $this->prefix . 'epoch';
	}

	/** A value that no epoch had before; an integer, so that the platform's tools may INCR it. */
	public static function fresh(): string {
		return (string) random_int( 1, PHP_INT_MAX >> 1 );
	}

	/** The field of a group's own epoch. */
	public static function group_field( string $group ): string {
		return 'g:' . $group;
	}

	/**
	 * Takes over the hash as just read.
	 *
	 * @param mixed $fields What HGETALL returned.
	 * @return bool Whether anything is different from before.
	 */
	public function adopt( mixed $fields ): bool {
		$fields = is_array( $fields ) ? $fields : array();
		ksort( $fields ); // Redis keeps no order in a large hash.
		$changed      = $fields !== $this->fields;
		$this->fields = $fields;
		return $changed;
	}

	/** Whether so many groups were flushed that flushing everything is the better way. */
	public function is_full(): bool {
		return count( $this->fields ) > self::MAX_FIELDS;
	}

	/** Whether the hash has an epoch. */
	public function is_known(): bool {
		return isset( $this->fields['all'] );
	}

	/** The Redis key of a value. */
	public function key( string $group, string $id ): string {
		$name  = strtr( $group, array( '%' => '%25', ':' => '%3A', '@' => '%40' ) );
		$epoch = $this->fields[ self::group_field( $group ) ] ?? null;
		if ( null !== $epoch ) {
			$name .= '@' . $epoch;
		}
		return $this->prefix . $this->fields['all'] . ':' . $name . ':' . $id;
	}
}
