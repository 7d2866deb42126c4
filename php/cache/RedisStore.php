<?php
/**
 * The tenant's values in Redis.
 *
 * Role: connection, epochs and commands. It knows nothing of WordPress.
 *
 * Invariants:
 * - No method throws and none takes longer than the time-outs below. The first failure ends the
 *   use of Redis for the rest of the request (a connection that timed out may still deliver the
 *   answer of an older command), and is noted (OutageMark) so that nothing stale is served later.
 * - A write that finds the epochs changed meanwhile becomes a delete under the new ones: its
 *   value may come from rows that were read before the flush.
 * - Only the commands listed in README.md are sent; the tenant's Redis user may do no others.
 * - The connection ends with the request. A persistent one would save 0.05 ms of a page, would
 *   have to be kept from a recycled worker's next tenant, and would need an ECHO per page anyway.
 *
 * @package AIPress
 */

namespace AIPress\Cache;

final class RedisStore {

	/** Seconds; Redis is on this machine, an answer takes 0.0001. */
	private const CONNECT_TIMEOUT = 0.25;
	private const READ_TIMEOUT    = 0.5;

	/** How often a read-change-write is tried against other writers before it gives up. */
	private const ATTEMPTS = 16;

	/** Lifetime, in seconds, of what is stored without one. */
	public const DEFAULT_TTL = 1800;

	/** Round trips so far; for measuring. */
	public int $round_trips = 0;

	private ?\Redis $redis = null;

	/** @var array<int, mixed> The Redis strings of $hints. */
	private array $hint_strings = array();

	/** True until the first contact; then whether Redis is in use ($redis not null) is settled. */
	private bool $untried = true;

	/**
	 * @param \Closure   $address         Returns socket, user and password; asked once, so that no password
	 *                                    is kept in $GLOBALS['wp_object_cache'], which plugins like to print.
	 * @param Epochs     $epochs          The tenant's epochs.
	 * @param OutageMark $outage          Where a failure is noted.
	 * @param \Closure   $on_epoch_change Called when values read before must be forgotten.
	 * @param string[]   $hints           Keys below the prefix that are read at the first contact.
	 */
	public function __construct(
		private readonly \Closure $address,
		private readonly Epochs $epochs,
		private readonly OutageMark $outage,
		private readonly \Closure $on_epoch_change,
		private readonly array $hints = array()
	) {
	}

	/** Whether Redis can be used in this request; makes the first contact. */
	public function is_available(): bool {
		if ( $this->untried ) {
			$this->untried = false;
			$this->connect();
		}
		return null !== $this->redis;
	}

	/** Ends the connection; later calls find nothing. */
	public function close(): void {
		$this->untried = false;
		if ( null !== $this->redis ) {
			try {
				$this->redis->close();
			} catch ( \RedisException $e ) {
				unset( $e ); // It was closed already.
			}
			$this->redis = null;
		}
	}

	/**
	 * Reads values.
	 *
	 * @param string[] $ids Keys within the group.
	 * @return array<string, mixed> The values that are there, by id.
	 */
	public function get( string $group, array $ids ): array {
		if ( array() === $ids || ! $this->is_available() ) {
			return array();
		}
		$keys    = array_map( fn( $id ) => $this->epochs->key( $group, (string) $id ), $ids );
		$strings = $this->ask( fn( \Redis $redis ) => 1 === count( $keys ) ? array( $redis->get( $keys[0] ) ) : $redis->mGet( $keys ) );
		$values  = array();
		foreach ( array_values( $ids ) as $i => $id ) {
			if ( is_string( $strings[ $i ] ?? null ) ) {
				[ $readable, $value ] = Codec::decode( $strings[ $i ] );
				if ( $readable ) {
					$values[ $id ] = $value;
				}
			}
		}
		return $values;
	}

	/** @return array<int, mixed> The Redis strings of the hints that were asked for, false for none. */
	public function hints(): array {
		return $this->is_available() && array() !== $this->hint_strings ? $this->hint_strings : array_fill( 0, count( $this->hints ), false );
	}

	/**
	 * Reads values of any groups, not decoded.
	 *
	 * @param array<int, array{0: string, 1: string}> $names Groups and ids.
	 * @return array<int, mixed> Their Redis strings, false for none; nothing without Redis.
	 */
	public function get_ahead( array $names ): array {
		if ( array() === $names || ! $this->is_available() ) {
			return array();
		}
		$keys = array_map( fn( $name ) => $this->epochs->key( $name[0], $name[1] ), $names );
		return (array) $this->ask( static fn( \Redis $redis ) => $redis->mGet( $keys ) );
	}

	/**
	 * Writes hints down for later requests.
	 *
	 * @param array<string, array> $hints By their keys below the prefix.
	 */
	public function save_hints( array $hints ): void {
		if ( $this->is_available() ) {
			$this->pipe(
				function ( \Redis $pipe ) use ( $hints ) {
					foreach ( $hints as $hint => $names ) {
						$pipe->set( $this->epochs->prefix . $hint, Codec::encode( $names ), array( 'ex' => self::DEFAULT_TTL ) );
					}
				}
			);
		}
	}

	/**
	 * Writes values in one round trip.
	 *
	 * @param array<string, mixed> $values By id.
	 * @param int                  $ttl    Seconds; 0 is the default.
	 * @param ?string              $only   'nx' to write only what is absent, 'xx' only what is there.
	 * @return array<string, ?bool> Whether each was written; null for one that Redis cannot hold (an
	 *                              older value of it is deleted). All false without Redis.
	 */
	public function set( string $group, array $values, int $ttl, ?string $only = null ): array {
		if ( array() === $values ) {
			return array();
		}
		$options = array_filter( array( $only, 'ex' => 0 === $ttl ? self::DEFAULT_TTL : $ttl ) );
		$encoded = array_map( Codec::encode( ... ), $values );
		$results = $this->write(
			$group,
			array_keys( $values ),
			function ( \Redis $pipe ) use ( $group, $encoded, $options ) {
				foreach ( $encoded as $id => $string ) {
					$key = $this->epochs->key( $group, (string) $id );
					null !== $string ? $pipe->set( $key, $string, $options ) : $pipe->del( $key );
				}
			},
			'nx' !== $only // What was only to be filled in leaves nothing stale behind.
		);
		$written = array();
		foreach ( array_keys( $values ) as $i => $id ) {
			$written[ $id ] = null === $encoded[ $id ] ? null : true === $results[ $i ];
		}
		return $written;
	}

	/**
	 * Deletes values in one round trip.
	 *
	 * @param string[] $ids Keys within the group.
	 * @return array<string, bool> Whether each was there.
	 */
	public function delete( string $group, array $ids ): array {
		if ( array() === $ids ) {
			return array();
		}
		$results = $this->write(
			$group,
			$ids,
			function ( \Redis $pipe ) use ( $group, $ids ) {
				foreach ( $ids as $id ) {
					$pipe->del( $this->epochs->key( $group, (string) $id ) );
				}
			}
		);
		return array_combine( $ids, array_map( static fn( $result ) => (int) $result > 0, $results ) );
	}

	/**
	 * Reads a value, changes it and writes it back with its lifetime, as one step.
	 *
	 * @param callable(bool, mixed): array{0: bool, 1: mixed} $change Gets whether the value is there
	 *        and the value; returns whether to write and the new value. May be called several times.
	 * @return array{0: bool, 1: mixed} What $change last returned; false and null when other writers
	 *         won every time (the value is deleted then) or without Redis.
	 */
	public function update( string $group, string $id, callable $change ): array {
		$result = $this->is_available() ? $this->attempt_update( $this->epochs->key( $group, $id ), $change ) : null;
		// Also tells whether the epochs changed, and drops what no attempt could write.
		$this->write(
			$group,
			array( $id ),
			function ( \Redis $pipe ) use ( $group, $id, $result ) {
				if ( null === $result ) {
					$pipe->del( $this->epochs->key( $group, $id ) );
				} else {
					$pipe->exists( $this->epochs->key( $group, $id ) );
				}
			}
		);
		return $result ?? array( false, null );
	}

	/**
	 * Adds to a number that is there, not going below 0.
	 *
	 * @return int|float|null The new number; null when there is no value, or without Redis.
	 */
	public function add_to( string $group, string $id, int $offset ): int|float|null {
		if ( $this->is_available() ) {
			$key    = $this->epochs->key( $group, $id );
			$string = $this->ask( static fn( \Redis $redis ) => $redis->get( $key ) );
			if ( ! is_string( $string ) || ! Codec::is_integer( $string ) ) {
				$change = static fn( bool $found, mixed $value ) => array( $found, $found ? max( 0, ( is_numeric( $value ) ? $value : 0 ) + $offset ) : null );
				return $this->update( $group, $id, $change )[1];
			}
		}
		// EXPIRE NX: should it have expired since, it is not to come back for ever.
		$number = $this->write(
			$group,
			array( $id ),
			fn( \Redis $pipe ) => $pipe
				->incrBy( $this->epochs->key( $group, $id ), $offset )
				->rawCommand( 'EXPIRE', $this->epochs->key( $group, $id ), self::DEFAULT_TTL, 'NX' )
		)[0];
		if ( is_int( $number ) && $number < 0 ) {
			$this->write( $group, array( $id ), fn( \Redis $pipe ) => $pipe->set( $this->epochs->key( $group, $id ), '0', array( 'KEEPTTL' ) ) );
			$number = 0;
		}
		return is_int( $number ) ? $number : null;
	}

	/** Makes everything stored so far unreachable. */
	public function flush(): void {
		$this->is_available() ? $this->change_epoch() : $this->outage->set( false );
		( $this->on_epoch_change )();
	}

	/** Makes everything in a group unreachable. */
	public function flush_group( string $group ): void {
		if ( $this->is_available() && $this->epochs->is_full() ) {
			$this->flush();
			return;
		}
		$this->write(
			$group,
			array(),
			fn( \Redis $pipe ) => $pipe->hSet( $this->epochs->hash_key(), Epochs::group_field( $group ), Epochs::fresh() )
		);
	}

	/** First contact: signs in and reads the epochs in one round trip; a note of an outage is worked off. */
	private function connect(): void {
		$marked = $this->outage->is_set();
		if ( $marked && $this->outage->is_fresh() ) {
			return;
		}
		$address = ( $this->address )();
		$redis   = new \Redis();
		try {
			$redis->connect( $address['socket'], 0, self::CONNECT_TIMEOUT, null, 0, self::READ_TIMEOUT );
			$redis->setOption( \Redis::OPT_MAX_RETRIES, 0 ); // A silent reconnect would hide an outage.
		} catch ( \RedisException $e ) {
			$this->fail( $e->getMessage() );
			return;
		}
		$this->redis = $redis;
		$answers     = $this->pipe(
			function ( \Redis $pipe ) use ( $address ) {
				$pipe->rawCommand( 'AUTH', $address['user'], $address['password'] );
				$pipe->hGetAll( $this->epochs->hash_key() );
				if ( array() !== $this->hints ) {
					$pipe->mGet( array_map( fn( $hint ) => $this->epochs->prefix . $hint, $this->hints ) );
				}
			}
		);
		if ( null === $answers ) {
			return;
		}
		$this->epochs->adopt( $answers[1] );
		$this->hint_strings = $answers[2] ?? array();
		if ( $marked ) {
			$this->outage->clear( fn() => $this->change_epoch() );
			$this->read_epochs(); // Another process may have been the one to change it.
		}
		$this->start_epoch();
	}

	/** Starts the first epoch, if there is none or no longer one. */
	private function start_epoch(): void {
		if ( null !== $this->redis && ! $this->epochs->is_known() ) {
			$answers = $this->pipe(
				fn( \Redis $pipe ) => $pipe
					->hSetNx( $this->epochs->hash_key(), 'all', Epochs::fresh() )
					->hGetAll( $this->epochs->hash_key() )
			);
			$this->epochs->adopt( $answers[1] ?? null );
		}
	}

	/** Reads the epochs again. */
	private function read_epochs(): void {
		$answers = $this->pipe( fn( \Redis $pipe ) => $pipe->hGetAll( $this->epochs->hash_key() ) );
		if ( null !== $answers ) {
			$this->epochs->adopt( $answers[0] );
		}
	}

	/** Starts a new epoch for everything; whether that worked. */
	private function change_epoch(): bool {
		$key     = $this->epochs->hash_key();
		$answers = $this->ask( // MULTI, so that nobody sees the hash empty and starts an epoch of its own.
			static fn( \Redis $redis ) => $redis->multi()->del( $key )->hSet( $key, 'all', Epochs::fresh() )->hGetAll( $key )->exec()
		);
		if ( ! is_array( $answers ) ) {
			return false; // A failure, and noted as such.
		}
		$this->epochs->adopt( end( $answers ) );
		return true;
	}

	/** The attempts of update(); null when none came through. */
	private function attempt_update( string $key, callable $change ): ?array {
		for ( $attempt = 0; $attempt < self::ATTEMPTS; $attempt++ ) {
			$this->ask( static fn( \Redis $redis ) => $redis->watch( $key ) );
			$string = $this->ask( static fn( \Redis $redis ) => $redis->get( $key ) );
			if ( null === $this->redis ) {
				return null;
			}
			[ $found, $value ] = is_string( $string ) ? Codec::decode( $string ) : array( false, null );
			[ $write, $value ] = $change( $found, $value );
			$encoded           = $write ? Codec::encode( $value ) : null;
			if ( ! $write ) {
				$this->ask( static fn( \Redis $redis ) => $redis->unwatch() );
				return array( false, $value );
			}
			if ( null === $encoded ) {
				return null;
			}
			$options = $found ? array( 'KEEPTTL' ) : array( 'ex' => self::DEFAULT_TTL );
			$written = $this->ask( static fn( \Redis $redis ) => $redis->multi()->set( $key, $encoded, $options )->exec() );
			if ( is_array( $written ) && true === $written[0] ) {
				return array( true, $value );
			}
		}
		return null;
	}

	/**
	 * Sends changes, and reads the epochs in the same round trip.
	 *
	 * @param string[]               $ids      What is changed; deleted again if the epochs changed.
	 * @param callable(\Redis): void $commands Adds one command for each id to the pipeline.
	 * @param bool                   $noted    Whether failing leaves something stale.
	 * @return array<int, mixed> An answer for each id; false each without Redis.
	 */
	private function write( string $group, array $ids, callable $commands, bool $noted = true ): array {
		$nothing = array_fill( 0, count( $ids ), false );
		$answers = ! $this->is_available() ? null : $this->pipe(
			function ( \Redis $pipe ) use ( $commands ) {
				$commands( $pipe );
				$pipe->hGetAll( $this->epochs->hash_key() );
			}
		);
		if ( null === $answers ) {
			if ( $noted ) {
				$this->outage->set( false );
			}
			return $nothing;
		}
		if ( ! $this->epochs->adopt( array_pop( $answers ) ) ) {
			return array_slice( $answers, 0, count( $ids ) );
		}
		$this->start_epoch(); // The hash was evicted, or Redis emptied.
		if ( array() !== $ids && $this->is_available() ) {
			$keys = array_map( fn( $id ) => $this->epochs->key( $group, (string) $id ), $ids );
			$this->ask( static fn( \Redis $redis ) => $redis->del( $keys ) );
		}
		( $this->on_epoch_change )();
		return $nothing;
	}

	/**
	 * Sends several commands in one round trip.
	 *
	 * @param callable(\Redis): mixed $commands Adds them.
	 * @return ?array<int, mixed> Their answers; null after a failure of any.
	 */
	private function pipe( callable $commands ): ?array {
		return $this->ask(
			static function ( \Redis $redis ) use ( $commands ) {
				$pipe = $redis->pipeline();
				$commands( $pipe );
				$answers = $pipe->exec();
				return is_array( $answers ) ? $answers : throw new \RedisException( 'no answer to a pipeline' );
			}
		);
	}

	/** Runs one exchange; null when it failed, and Redis is not used any more then. */
	private function ask( callable $exchange ): mixed {
		if ( null === $this->redis ) {
			return null;
		}
		++$this->round_trips;
		try {
			$this->redis->clearLastError();
			$answer = $exchange( $this->redis );
			$error  = $this->redis->getLastError();
			if ( null !== $error ) {
				throw new \RedisException( $error );
			}
			return $answer;
		} catch ( \RedisException $e ) {
			$this->fail( $e->getMessage() );
			return null;
		}
	}

	/** Stops using Redis for this request. */
	private function fail( string $message ): void {
		error_log( "aipress object cache: going on without redis: $message" );
		$this->close();
		$this->outage->set( true );
	}
}
