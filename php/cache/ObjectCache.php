<?php
/**
 * WordPress's object cache: what a request already knows, with Redis behind it.
 *
 * Role: the semantics of WordPress's own WP_Object_Cache, under its name because plugins look for
 * it: groups, clones, `$found`, one blog's keys apart from another's.
 *
 * Invariants:
 * - Without Redis it behaves exactly like WordPress's own class.
 * - Redis is asked for a key at most once in a request, also when the answer was "not there",
 *   unless the caller forces it or something was written.
 * - What this request wrote, it reads.
 *
 * Deliberately absent: reset() and the magic accessors of WordPress's class, kept there for
 * plugins of before 2012.
 *
 * @package AIPress
 */

// phpcs:ignore -- the name is WordPress's.
class WP_Object_Cache {

	/**
	 * Arrays that several requests change at the same time, one entry each: a plain write would
	 * take back what another request wrote since this one read (WordPress #31245).
	 */
	private const MERGED = array(
		'options' => array(
			'alloptions' => true,
			'notoptions' => true,
		),
	);

	public int $cache_hits   = 0;
	public int $cache_misses = 0;

	/** @var array<string, array<string|int, mixed>> Values by group and id. */
	public array $cache = array();

	/** @var array<string, array<string|int, true>> What Redis does not have, by group and id. */
	private array $absent = array();

	/** @var array<string, true> */
	private array $global_groups = array();

	/** @var array<string, true> Groups that live in this request only. */
	private array $non_persistent_groups = array();

	private readonly bool $multisite;
	private string $blog_prefix;
	private readonly ?AIPress\Cache\RedisStore $store;

	/**
	 * @param ?callable(\Closure): AIPress\Cache\RedisStore $make_store Gets what to call when everything read is void.
	 * @param ?AIPress\Cache\LookAhead                      $look_ahead To read at once what a page will ask for.
	 */
	public function __construct( ?callable $make_store = null, private readonly ?AIPress\Cache\LookAhead $look_ahead = null ) {
		$this->multisite = is_multisite();
		$this->switch_to_blog( get_current_blog_id() );
		$this->store = null === $make_store ? null : $make_store( fn() => $this->flush_runtime() );
	}

	/** Stores a value unless there is one; true if it was stored. */
	public function add( $key, $data, $group = 'default', $expire = 0 ): bool {
		return $this->is_valid_key( $key ) && $this->add_multiple( array( $key => $data ), $group, $expire )[ $key ];
	}

	/** @return array<string|int, bool> By key, as add(). */
	public function add_multiple( array $data, $group = '', $expire = 0 ): array {
		$results = array_fill_keys( array_keys( $data ), false );
		if ( wp_suspend_cache_addition() ) {
			return $results;
		}
		$group = $this->group( $group );
		$new   = array();
		foreach ( $data as $key => $value ) {
			if ( $this->is_valid_key( $key ) && ! $this->is_held( $this->id( $key, $group ), $group ) ) {
				$new[ $key ] = $value;
			}
		}
		return array_replace( $results, $this->put( $new, $group, (int) $expire, 'nx' ) );
	}

	/** Stores a value if there is one; true if it was stored. */
	public function replace( $key, $data, $group = 'default', $expire = 0 ): bool {
		return $this->is_valid_key( $key ) && $this->put( array( $key => $data ), $this->group( $group ), (int) $expire, 'xx' )[ $key ];
	}

	/** Stores a value. */
	public function set( $key, $data, $group = 'default', $expire = 0 ): bool {
		return $this->is_valid_key( $key ) && $this->set_multiple( array( $key => $data ), $group, $expire )[ $key ];
	}

	/** @return array<string|int, bool> By key, as set(). */
	public function set_multiple( array $data, $group = '', $expire = 0 ): array {
		$group   = $this->group( $group );
		$valid   = array_filter( $data, fn( $key ) => $this->is_valid_key( $key ), ARRAY_FILTER_USE_KEY );
		$results = array_fill_keys( array_keys( $data ), false );
		foreach ( $valid as $key => $value ) {
			if ( isset( self::MERGED[ $group ][ $key ] ) && $this->merge( $key, $value, $group ) ) {
				$results[ $key ] = true;
				unset( $valid[ $key ] );
			}
		}
		return array_replace( $results, $this->put( $valid, $group, (int) $expire ) );
	}

	/** The value of a key, false without one; $found tells false and "none" apart. */
	public function get( $key, $group = 'default', $force = false, &$found = null ) {
		$found = false;
		if ( ! $this->is_valid_key( $key ) ) {
			return false;
		}
		$group  = $this->group( $group );
		$id     = $this->id( $key, $group );
		$values = $this->fetch( array( $id ), $group, (bool) $force );
		if ( ! array_key_exists( $id, $values ) ) {
			++$this->cache_misses;
			return false;
		}
		$found = true;
		++$this->cache_hits;
		return self::copy( $values[ $id ] );
	}

	/** @return array<string|int, mixed> By key, as get(). */
	public function get_multiple( $keys, $group = 'default', $force = false ): array {
		$group = $this->group( $group );
		$ids   = array();
		foreach ( (array) $keys as $key ) {
			if ( $this->is_valid_key( $key ) ) {
				$ids[ $key ] = $this->id( $key, $group );
			}
		}
		$found  = $this->fetch( array_values( $ids ), $group, (bool) $force );
		$values = array();
		foreach ( (array) $keys as $key ) {
			$hit            = isset( $ids[ $key ] ) && array_key_exists( $ids[ $key ], $found );
			$values[ $key ] = $hit ? self::copy( $found[ $ids[ $key ] ] ) : false;
			$hit ? ++$this->cache_hits : ++$this->cache_misses;
		}
		return $values;
	}

	/** Removes a value; true if there was one. */
	public function delete( $key, $group = 'default' ): bool {
		return $this->is_valid_key( $key ) && $this->delete_multiple( array( $key ), $group )[ $key ];
	}

	/** @return array<string|int, bool> By key, as delete(). */
	public function delete_multiple( array $keys, $group = '' ): array {
		$group   = $this->group( $group );
		$results = array_fill_keys( $keys, false );
		$ids     = array();
		foreach ( $keys as $key ) {
			if ( $this->is_valid_key( $key ) ) {
				$ids[ $key ] = $this->id( $key, $group );
			}
		}
		foreach ( $ids as $key => $id ) {
			$results[ $key ] = $this->is_held( $id, $group );
		}
		// Redis is asked even about what it did not have a moment ago: another request may have put it there.
		$deleted = $this->uses_store( $group ) ? $this->store->delete( $group, array_values( $ids ) ) : array();
		foreach ( $ids as $key => $id ) {
			$results[ $key ] = $results[ $key ] || ! empty( $deleted[ $id ] );
			unset( $this->cache[ $group ][ $id ] );
			$this->absent[ $group ][ $id ] = true;
		}
		return $results;
	}

	/** Adds to a number that is there; the new number, false without one. */
	public function incr( $key, $offset = 1, $group = 'default' ) {
		if ( ! $this->is_valid_key( $key ) ) {
			return false;
		}
		$group  = $this->group( $group );
		$id     = $this->id( $key, $group );
		$offset = (int) $offset;
		$number = null;
		if ( $this->uses_store( $group ) ) {
			$number = $this->store->add_to( $group, (string) $id, $offset );
			if ( null === $number && $this->store->is_available() ) { // It is not there.
				unset( $this->cache[ $group ][ $id ] );
				return false;
			}
		}
		if ( null === $number ) {
			if ( ! $this->is_held( $id, $group ) ) {
				return false;
			}
			$value  = $this->cache[ $group ][ $id ];
			$number = max( 0, ( is_numeric( $value ) ? $value : 0 ) + $offset );
		}
		$this->hold( $id, $group, $number );
		return $number;
	}

	/** Subtracts from a number that is there, not below 0. */
	public function decr( $key, $offset = 1, $group = 'default' ) {
		return $this->incr( $key, -1 * (int) $offset, $group );
	}

	/** Forgets everything, here and in Redis. */
	public function flush(): bool {
		$this->flush_runtime();
		$this->store?->flush();
		return true;
	}

	/** Forgets a group, here and in Redis. */
	public function flush_group( $group ): bool {
		$group = $this->group( $group );
		unset( $this->cache[ $group ], $this->absent[ $group ] );
		$this->look_ahead?->drop_all();
		if ( $this->uses_store( $group ) ) {
			$this->store->flush_group( $group );
		}
		return true;
	}

	/** Forgets what this request knows; Redis keeps it. */
	public function flush_runtime(): bool {
		$this->cache  = array();
		$this->absent = array();
		$this->look_ahead?->drop_all();
		return true;
	}

	/** @param string|string[] $groups Groups that all blogs of a network share. */
	public function add_global_groups( $groups ): void {
		$this->global_groups += array_fill_keys( (array) $groups, true );
	}

	/** @param string|string[] $groups Groups that never go to Redis. */
	public function add_non_persistent_groups( $groups ): void {
		$this->non_persistent_groups += array_fill_keys( (array) $groups, true );
	}

	/** Makes further keys those of a blog of the network. */
	public function switch_to_blog( $blog_id ): void {
		$this->blog_prefix = $this->multisite ? (int) $blog_id . ':' : '';
	}

	/** The page is done: what it asked for is remembered. */
	public function finish(): void {
		if ( null !== $this->store && null !== $this->look_ahead ) {
			$this->look_ahead->finish( $this->store );
		}
	}

	/** Ends the connection to Redis. */
	public function close(): bool {
		$this->store?->close();
		return true;
	}

	/** Redis round trips of this request so far. */
	public function round_trips(): int {
		return $this->store->round_trips ?? 0;
	}

	/** Prints figures for debugging plugins, as WordPress's own class does. */
	public function stats(): void {
		printf(
			'<p><strong>Cache Hits:</strong> %d<br /><strong>Cache Misses:</strong> %d<br /><strong>Redis:</strong> %s, %d round trips</p>',
			(int) $this->cache_hits,
			(int) $this->cache_misses,
			$this->store?->is_available() ? 'connected' : 'not used',
			(int) $this->round_trips()
		);
	}

	/** The values of ids, from here or from Redis. */
	private function fetch( array $ids, string $group, bool $force ): array {
		$values = array();
		$asked  = array();
		$redis  = $this->uses_store( $group ) && ( ! $force || $this->store->is_available() );
		foreach ( $ids as $id ) {
			$held = $this->is_held( $id, $group );
			if ( $held && ! ( $force && $redis ) ) {
				$values[ $id ] = $this->cache[ $group ][ $id ];
			} elseif ( $redis && ( $force || ! isset( $this->absent[ $group ][ $id ] ) ) ) {
				$asked[] = $id;
			}
		}
		if ( array() === $asked ) {
			return $values;
		}
		$read = $this->read( $group, $asked, $force );
		foreach ( $asked as $id ) {
			if ( array_key_exists( $id, $read ) ) {
				$this->cache[ $group ][ $id ] = $read[ $id ];
				$values[ $id ]                = $read[ $id ];
			} elseif ( ! $this->is_held( $id, $group ) ) {
				$this->absent[ $group ][ $id ] = true;
			} elseif ( $this->store->is_available() ) {
				unset( $this->cache[ $group ][ $id ] ); // Was forced, and is gone from Redis.
				$this->absent[ $group ][ $id ] = true;
			} else {
				$values[ $id ] = $this->cache[ $group ][ $id ]; // Was forced, and Redis failed.
			}
		}
		return $values;
	}

	/**
	 * Values from Redis, of what was read ahead or by asking now.
	 *
	 * @param array<int, string|int> $ids   What this request does not know yet.
	 * @param bool                   $force Whether only what Redis has this very moment will do.
	 * @return array<string|int, mixed> By id.
	 */
	private function read( string $group, array $ids, bool $force ): array {
		if ( null === $this->look_ahead || $force ) {
			return $this->store->get( $group, $ids );
		}
		$this->look_ahead->start( $this->store );
		$values = array();
		$asked  = array();
		foreach ( $ids as $id ) {
			[ $known, $string ] = $this->look_ahead->take( $group, (string) $id );
			if ( ! $known ) {
				$asked[] = $id;
			} elseif ( null !== $string ) {
				[ $readable, $value ] = AIPress\Cache\Codec::decode( $string );
				if ( $readable ) {
					$values[ $id ] = $value;
				}
			}
		}
		return $values + $this->store->get( $group, $asked );
	}

	/**
	 * Writes values here and to Redis.
	 *
	 * @param array<string|int, mixed> $data By key; the keys are valid.
	 * @param ?string                  $only As in RedisStore::set().
	 * @return array<string|int, bool> By key, whether it was written.
	 */
	private function put( array $data, string $group, int $expire, ?string $only = null ): array {
		if ( array() === $data ) {
			return array();
		}
		if ( $expire < 0 ) { // Expired already.
			$this->delete_multiple( array_keys( $data ), $group );
			return array_fill_keys( array_keys( $data ), true );
		}
		$values  = array();
		$results = array();
		foreach ( $data as $key => $value ) {
			$values[ $this->id( $key, $group ) ] = $value;
		}
		$written  = $this->uses_store( $group ) ? $this->store->set( $group, $values, $expire, $only ) : array();
		$by_redis = array() !== $written && $this->store->is_available();
		foreach ( $data as $key => $value ) {
			$id              = $this->id( $key, $group );
			$held            = $this->is_held( $id, $group );
			$results[ $key ] = null === $only || ( $by_redis ? false !== $written[ $id ] : ( 'xx' === $only ) === $held );
			unset( $this->absent[ $group ][ $id ] );
			$this->look_ahead?->drop( $group, (string) $id );
			if ( $results[ $key ] || isset( self::MERGED[ $group ][ $key ] ) ) { // What merge() will compare with.
				$this->hold( $id, $group, $value );
			} else {
				unset( $this->cache[ $group ][ $id ] ); // Redis knows better than this request.
			}
		}
		return $results;
	}

	/**
	 * Writes an array that other requests change too, only where this request changed it.
	 *
	 * @return bool Whether that was possible; a plain write is due if not.
	 */
	private function merge( $key, $value, string $group ): bool {
		$id   = $this->id( $key, $group );
		$base = $this->cache[ $group ][ $id ] ?? null;
		if ( ! is_array( $value ) || ! is_array( $base ) || ! $this->uses_store( $group ) || ! $this->store->is_available() ) {
			return false;
		}
		$removed = array_diff_key( $base, $value );
		$changed = array_filter( $value, static fn( $v, $k ) => ! array_key_exists( $k, $base ) || $base[ $k ] !== $v, ARRAY_FILTER_USE_BOTH );
		$merged  = static function ( bool $found, mixed $stored ) use ( $value, $removed, $changed ) {
			if ( ! $found || ! is_array( $stored ) ) {
				return array( false, $value ); // It went since; $value may lack what others did, so the next request reads the table.
			}
			$new = array_diff_key( array_replace( $stored, $changed ), $removed );
			return array( $new !== $stored, $new );
		};
		[ , $new ] = $this->store->update( $group, (string) $id, $merged );
		if ( ! is_array( $new ) ) {
			if ( $this->store->is_available() ) {
				$new = $value; // Deleted, since other writers won every time: the next request reads the table.
			} else {
				return false;
			}
		}
		$this->hold( $id, $group, $new );
		return true;
	}

	/** Keeps a value for this request. */
	private function hold( $id, string $group, mixed $value ): void {
		$this->cache[ $group ][ $id ] = self::copy( $value );
		unset( $this->absent[ $group ][ $id ] );
	}

	/** Whether this request knows a value. */
	private function is_held( $id, string $group ): bool {
		return isset( $this->cache[ $group ] ) && array_key_exists( $id, $this->cache[ $group ] );
	}

	/** Whether a group's values go to Redis. */
	private function uses_store( string $group ): bool {
		return null !== $this->store && ! isset( $this->non_persistent_groups[ $group ] );
	}

	/** What a caller changes in an object afterwards is not to change the cache. */
	private static function copy( mixed $value ): mixed {
		return is_object( $value ) ? clone $value : $value;
	}

	private function group( $group ): string {
		return empty( $group ) ? 'default' : (string) $group;
	}

	/** The key of a value within its group, the blog included. */
	private function id( $key, string $group ): string|int {
		return '' === $this->blog_prefix || isset( $this->global_groups[ $group ] ) ? $key : $this->blog_prefix . $key;
	}

	/** As WordPress's own class: an integer, or a string that is not blank. */
	private function is_valid_key( $key ): bool {
		if ( is_int( $key ) || ( is_string( $key ) && '' !== trim( $key ) ) ) {
			return true;
		}
		if ( ! function_exists( '__' ) ) {
			wp_load_translations_early();
		}
		$message = is_string( $key )
			? __( 'Cache key must not be an empty string.' )
			/* translators: %s: The type of the given cache key. */
			: sprintf( __( 'Cache key must be an integer or a non-empty string, %s given.' ), gettype( $key ) );
		_doing_it_wrong( __CLASS__, $message, '6.1.0' ); // phpcs:ignore -- plain text.
		return false;
	}
}
