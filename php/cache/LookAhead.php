<?php
/**
 * Which keys a page will ask for, as remembered from the last time.
 *
 * Role: a page of WordPress asks for some 35 keys one after the other. Redis keeps their names
 * under `<prefix>page:<hash>`, beside and not within the epochs since names do not go stale; the
 * next request for the page gets the names with its sign-in and all values in one further round
 * trip. A page that was not seen lately uses the names of another page of the same script.
 *
 * Invariants:
 * - Only a help: with wrong names, or none, the same values are read one by one.
 * - What was read ahead is used for a few seconds only; a long-running request asks afresh.
 * - The names are bounded in number; a page that is not answered with 200 leaves none.
 *
 * @package AIPress
 */

namespace AIPress\Cache;

final class LookAhead {

	private const MAX_NAMES = 128;

	/** So many keys have to be asked for one by one before the names are written anew. */
	private const WORTH_WRITING = 4;

	/** For so long, in nanoseconds, values that were read ahead count as just read. */
	private const FRESH = 5_000_000_000;

	/** @var array<string, ?string> Redis strings by group and id; null for what is not there. */
	private array $ahead = array();

	/** @var array<string, array{0: string, 1: string}> Names that were used, by group and id. */
	private array $used = array();

	private int $asked_alone = 0;
	private int $read_at     = 0;
	private bool $started    = false;
	private bool $has_script = false;

	/** @var string[] The keys of the names, without the prefix: of the page and of its script. */
	public readonly array $hints;

	/** @param string $script Which kind of page; its path alone decides about $page. */
	public function __construct( string $page, string $script ) {
		$this->hints = array( 'page:' . hash( 'xxh128', $page ), 'page:' . hash( 'xxh128', $script ) );
	}

	/** For a request that a browser makes, by its path and by whether somebody is signed in; else null. */
	public static function for_request( array $server, array $cookies ): ?LookAhead {
		if ( 'GET' !== ( $server['REQUEST_METHOD'] ?? '' ) || ! isset( $server['REQUEST_URI'], $server['SCRIPT_NAME'] ) ) {
			return null;
		}
		$who = array_filter( array_keys( $cookies ), static fn( $name ) => str_starts_with( (string) $name, 'wordpress_logged_in_' ) );
		$who = array() === $who ? 'visitor' : 'user';
		return new self( $who . ' ' . strtok( $server['REQUEST_URI'], '?' ), $who . ' script ' . $server['SCRIPT_NAME'] );
	}

	/** Reads ahead, the first time that it is called. */
	public function start( RedisStore $store ): void {
		if ( $this->started ) {
			return;
		}
		$this->started           = true;
		[ $of_page, $of_script ] = array_map( self::names( ... ), $store->hints() );
		$this->has_script        = array() !== $of_script;
		$names                   = array() !== $of_page ? $of_page : $of_script;
		foreach ( $store->get_ahead( $names ) as $i => $string ) {
			$this->ahead[ self::name( ...$names[ $i ] ) ] = is_string( $string ) ? $string : null;
		}
		$this->read_at = hrtime( true );
	}

	/**
	 * What was read ahead of a key.
	 *
	 * @return array{0: bool, 1: ?string} Whether it was, and the Redis string.
	 */
	public function take( string $group, string $id ): array {
		$name                = self::name( $group, $id );
		$this->used[ $name ] = array( $group, $id );
		if ( array_key_exists( $name, $this->ahead ) && hrtime( true ) - $this->read_at < self::FRESH ) {
			return array( true, $this->ahead[ $name ] );
		}
		++$this->asked_alone;
		return array( false, null );
	}

	/** Something was written to a key: what was read ahead of it does not count any more. */
	public function drop( string $group, string $id ): void {
		unset( $this->ahead[ self::name( $group, $id ) ] );
	}

	/** Nothing that was read ahead counts any more. */
	public function drop_all(): void {
		$this->ahead = array();
	}

	/** Writes the names of this page down, if the ones that there were did not do. */
	public function finish( RedisStore $store ): void {
		if ( $this->asked_alone < self::WORTH_WRITING || 200 !== http_response_code() ) {
			return;
		}
		$names = array_slice( array_values( $this->used ), 0, self::MAX_NAMES );
		$store->save_hints( array_fill_keys( $this->has_script ? array( $this->hints[0] ) : $this->hints, $names ) );
	}

	/** @return array<int, array{0: string, 1: string}> Names as they were written down. */
	private static function names( mixed $string ): array {
		$names = is_string( $string ) ? Codec::decode( $string )[1] : array();
		$right = static fn( $name ) => is_array( $name ) && is_string( $name[0] ?? null ) && is_string( $name[1] ?? null );
		return is_array( $names ) ? array_values( array_filter( $names, $right ) ) : array();
	}

	private static function name( string $group, string $id ): string {
		return "$group\n$id";
	}
}
