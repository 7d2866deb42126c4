<?php
/**
 * Every function of the object cache against a real Redis, under the commands of README.md.
 *
 * Run by tests/run with {"redis": …, "dir": …} on stdin; prints "ok <name>" or "not ok <name>: …".
 * "@<word>" on stdout asks the runner to do something to Redis, a line on stdin says it is done.
 * With "race <n>" as arguments it is one of several writers at the same time.
 *
 * @package AIPress
 */

// What of WordPress the drop-in calls.
function is_multisite() {
	return $GLOBALS['multisite'] ?? false;
}
function get_current_blog_id() {
	return 1;
}
function wp_suspend_cache_addition() {
	return $GLOBALS['suspended'] ?? false;
}
function __( $text ) {
	return $text;
}
function _doing_it_wrong( $function, $message ) {
	$GLOBALS['wrong'][] = $message;
}

require dirname( __DIR__ ) . '/object-cache.php';

use AIPress\Cache\Codec;
use AIPress\Cache\Epochs;
use AIPress\Cache\LookAhead;
use AIPress\Cache\OutageMark;
use AIPress\Cache\RedisStore;

$setup = json_decode( fgets( STDIN ), true );
ini_set( 'error_log', $setup['dir'] . '/cache.log' );

/** A new request of the tenant; becomes the current one. */
function request( ?array $redis = null, ?string $path = null ): WP_Object_Cache {
	$redis ??= $GLOBALS['setup']['redis'];
	$ahead   = LookAhead::for_request( null === $path ? array() : array( 'REQUEST_METHOD' => 'GET', 'REQUEST_URI' => $path, 'SCRIPT_NAME' => '/index.php' ), array() );

	$GLOBALS['wp_object_cache'] = new WP_Object_Cache(
		static fn( $on_epoch_change ) => new RedisStore( static fn() => $redis, new Epochs( $redis['prefix'] ), new OutageMark( mark() ), $on_epoch_change, $ahead->hints ?? array() ),
		$ahead
	);
	wp_cache_add_global_groups( array( 'users' ) );
	wp_cache_add_non_persistent_groups( array( 'counts' ) );
	return $GLOBALS['wp_object_cache'];
}

function mark(): string {
	return $GLOBALS['setup']['dir'] . '/object-cache-outage';
}

/** Has the runner do something. */
function runner( string $what ): string {
	echo "@$what\n";
	return trim( fgets( STDIN ) );
}

/** Ends the hold-off, as time would. */
function hold_off_over(): void {
	if ( filesize( mark() ) > 0 ) {
		file_put_contents( mark(), '1' );
	}
	clearstatcache();
}

function check( string $name, mixed $got, mixed $wanted = true ): void {
	echo $got === $wanted ? "ok $name\n" : "not ok $name: got " . json_encode( $got ) . ', wanted ' . json_encode( $wanted ) . "\n";
}

/** The options table of the race: a file. Changes it, or only reads it. */
function table( ?string $name = null ): array {
	$file = fopen( $GLOBALS['setup']['dir'] . '/table', 'c+' );
	flock( $file, LOCK_EX );
	$rows = json_decode( stream_get_contents( $file ), true ) ?: array();
	if ( null !== $name ) {
		$rows[ $name ] = 1;
		ftruncate( $file, 0 );
		rewind( $file );
		fwrite( $file, json_encode( $rows ) );
	}
	fclose( $file );
	return $rows;
}

/** One of several processes that do what update_option() does, and count; the first finds the cache empty. */
function race( string $name ): void {
	for ( $i = 0; $i < 50; $i++ ) {
		request();
		table( "$name-$i" );
		$all = wp_cache_get( 'alloptions', 'options', true );
		if ( ! $all ) { // As wp_load_alloptions().
			$all = table();
			wp_cache_add( 'alloptions', $all, 'options' );
		}
		$all[ "$name-$i" ] = 1;
		wp_cache_set( 'alloptions', $all, 'options' );
		wp_cache_incr( 'counter', 1, 'race' );
		$GLOBALS['wp_object_cache']->close();
	}
}

function test_values(): void {
	$values = array( 0, 1, -5, '0', '12', '', 'text', 1.5, 1.0, true, false, null, array(), array( 'a' => array( 1, null ) ), array( 1 => (object) array( 'b' => 2 ) ), "\0\1", PHP_INT_MAX, str_repeat( 'x', 100000 ) );
	request();
	foreach ( $values as $i => $value ) {
		check( "set value $i", wp_cache_set( "v$i", $value, 'g' ) );
	}
	request();
	$same = array();
	foreach ( $values as $i => $value ) {
		$got    = wp_cache_get( "v$i", 'g', false, $found );
		$same[] = $found && ( $value == $got ) && gettype( $got ) === gettype( $value ); // phpcs:ignore -- objects inside.
	}
	check( 'every value comes back with its type', array_keys( $same, false, true ), array() );
	check( 'many at once', wp_cache_get_multiple( array( 'v0', 'none', 'v10', 'v4' ), 'g' ), array( 'v0' => 0, 'none' => false, 'v10' => false, 'v4' => '12' ) );
	check( 'a miss is false', wp_cache_get( 'none', 'g', false, $found ), false );
	check( 'and not found', $found, false );
	check( 'a closure is kept for the request', wp_cache_set( 'closure', fn() => 1, 'g' ) );
	check( 'and found in it', is_object( wp_cache_get( 'closure', 'g' ) ) );
	request();
	check( 'but not in the next', wp_cache_get( 'closure', 'g' ), false );
	check( 'not decodable is a miss', Codec::decode( 'O:3:"bad' ), array( false, false ) );
	$object = (object) array( 'n' => 1 );
	wp_cache_set( 'object', $object );
	$object->n = 2;
	check( 'set keeps a clone', wp_cache_get( 'object' )->n, 1 );
	wp_cache_get( 'object' )->n = 3;
	check( 'get returns a clone', wp_cache_get( 'object' )->n, 1 );
	foreach ( array( '', ' ', null, 1.5, false, array() ) as $key ) {
		check( 'invalid key ' . json_encode( $key ), array( wp_cache_get( $key ), @wp_cache_set( $key, 1 ), @wp_cache_add( $key, 1 ), @wp_cache_delete( $key ) ), array( false, false, false, false ) );
	}
}

function test_add_replace_delete(): void {
	request();
	check( 'add', wp_cache_add( 'k', 'one' ) );
	check( 'add again', wp_cache_add( 'k', 'two' ), false );
	request();
	check( 'add in another request', wp_cache_add( 'k', 'three' ), false );
	check( 'the first one stays', wp_cache_get( 'k' ), 'one' );
	check( 'replace', wp_cache_replace( 'k', 'four' ) );
	check( 'replace what is not there', wp_cache_replace( 'k2', 'x' ), false );
	check( 'which is still not there', wp_cache_get( 'k2' ), false );
	request();
	check( 'replaced', wp_cache_get( 'k' ), 'four' );
	check( 'add many', wp_cache_add_multiple( array( 'k' => 1, 'm1' => 1, 'm2' => 2 ) ), array( 'k' => false, 'm1' => true, 'm2' => true ) );
	check( 'set many', wp_cache_set_multiple( array( 'm3' => 3, 7 => 'seven' ) ), array( 'm3' => true, 7 => true ) );
	request();
	check( 'read many', wp_cache_get_multiple( array( 'k', 'm1', 'm3', 7 ) ), array( 'k' => 'four', 'm1' => 1, 'm3' => 3, 7 => 'seven' ) );
	check( 'delete', wp_cache_delete( 'k' ) );
	check( 'delete again', wp_cache_delete( 'k' ), false );
	check( 'delete many', wp_cache_delete_multiple( array( 'm1', 'none', 7 ) ), array( 'm1' => true, 'none' => false, 7 => true ) );
	request();
	check( 'deleted', wp_cache_get_multiple( array( 'k', 'm1', 7, 'm2' ) ), array( 'k' => false, 'm1' => false, 7 => false, 'm2' => 2 ) );
	$GLOBALS['suspended'] = true;
	check( 'no adding while suspended', wp_cache_add( 's', 1 ), false );
	check( 'nor many', wp_cache_add_multiple( array( 's' => 1 ) ), array( 's' => false ) );
	$GLOBALS['suspended'] = false;
	check( 'add after a miss', array( wp_cache_get( 's' ), wp_cache_add( 's', 1 ), wp_cache_get( 's' ) ), array( false, true, 1 ) );
}

function test_numbers(): void {
	request();
	check( 'incr of nothing', wp_cache_incr( 'n' ), false );
	wp_cache_set( 'n', 5 );
	check( 'incr', wp_cache_incr( 'n' ), 6 );
	check( 'incr by 10', wp_cache_incr( 'n', 10 ), 16 );
	check( 'decr by 6', wp_cache_decr( 'n', 6 ), 10 );
	check( 'decr stops at 0', wp_cache_decr( 'n', 100 ), 0 );
	check( 'read', wp_cache_get( 'n' ), 0 );
	request();
	check( 'read in another request', wp_cache_get( 'n' ), 0 );
	wp_cache_set( 's', '7' );
	check( 'incr of a numeric string', wp_cache_incr( 's' ), 8 );
	wp_cache_set( 't', 'text' );
	check( 'incr of a text', wp_cache_incr( 't', 3 ), 3 );
	request();
	check( 'both in another request', wp_cache_get_multiple( array( 's', 't' ) ), array( 's' => 8, 't' => 3 ) );
	check( 'incr keeps the lifetime', (int) runner( 'ttl default:n' ) > 1700 );
	wp_cache_set( 'local', 1, 'counts' );
	check( 'incr without redis', wp_cache_incr( 'local', 2, 'counts' ), 3 );
}

function test_lifetimes(): void {
	request();
	wp_cache_set( 'd', 1, 'ttl' );
	wp_cache_set( 'e', 1, 'ttl', 60 );
	wp_cache_set_multiple( array( 'f' => 1 ), 'ttl', 300 );
	$default = (int) runner( 'ttl ttl:d' );
	check( 'default lifetime', $default > 1790 && $default <= 1800 );
	check( 'given lifetime', in_array( (int) runner( 'ttl ttl:e' ), array( 59, 60 ), true ) );
	check( 'given lifetime of many', in_array( (int) runner( 'ttl ttl:f' ), array( 299, 300 ), true ) );
	check( 'expired already', wp_cache_set( 'e', 2, 'ttl', -1 ) );
	check( 'is gone', wp_cache_get( 'e', 'ttl' ), false );
	request();
	check( 'for everybody', wp_cache_get( 'e', 'ttl' ), false );
	runner( 'expire ttl:d' );
	check( 'gone by itself', wp_cache_get( 'd', 'ttl' ), false );
}

function test_groups(): void {
	request();
	wp_cache_set( 'b:c', 1, 'a' );
	wp_cache_set( 'c', 2, 'a:b' );
	wp_cache_set( 'x', 3, 'counts' );
	wp_cache_set( 'x', 4, '' );
	check( 'group and key stay apart', array( wp_cache_get( 'b:c', 'a' ), wp_cache_get( 'c', 'a:b' ) ), array( 1, 2 ) );
	check( 'no group is default', wp_cache_get( 'x', 'default' ), 4 );
	request();
	check( 'group and key stay apart in redis', array( wp_cache_get( 'b:c', 'a' ), wp_cache_get( 'c', 'a:b' ) ), array( 1, 2 ) );
	check( 'non-persistent is of one request', wp_cache_get( 'x', 'counts' ), false );
	check( 'flush_group', wp_cache_flush_group( 'a' ) );
	check( 'empties the group', array( wp_cache_get( 'b:c', 'a' ), wp_cache_get( 'c', 'a:b' ) ), array( false, 2 ) );
	wp_cache_set( 'again', 5, 'a' );
	request();
	check( 'for everybody', array( wp_cache_get( 'b:c', 'a' ), wp_cache_get( 'again', 'a' ) ), array( false, 5 ) );
	$other = request();
	wp_cache_get( 'again', 'a' );
	request();
	wp_cache_set( 'again', 6, 'a' );
	$GLOBALS['wp_object_cache'] = $other;
	check( 'a request keeps what it read', wp_cache_get( 'again', 'a' ), 5 );
	check( 'unless it forces', wp_cache_get( 'again', 'a', true ), 6 );
	wp_cache_flush_runtime();
	check( 'or forgets', array( wp_cache_get( 'again', 'a' ), wp_cache_get( 'c', 'a:b' ) ), array( 6, 2 ) );
	foreach ( array( 'add_multiple', 'set_multiple', 'get_multiple', 'delete_multiple', 'flush_runtime', 'flush_group' ) as $feature ) {
		check( "supports $feature", wp_cache_supports( $feature ) );
	}
	check( 'supports nothing else', wp_cache_supports( 'time_travel' ), false );
	for ( $i = 0; $i < 210; $i++ ) {
		wp_cache_flush_group( "many$i" );
	}
	check( 'the epochs stay few', (int) runner( 'hlen epoch' ) < 205 );

	$GLOBALS['multisite'] = true;
	request();
	wp_cache_set( 'k', 'one', 'posts' );
	wp_cache_set( 'k', 'all', 'users' );
	wp_cache_switch_to_blog( 2 );
	check( 'another blog does not have it', wp_cache_get( 'k', 'posts' ), false );
	check( 'but what is global', wp_cache_get( 'k', 'users' ), 'all' );
	request();
	check( 'nor in another request', array( wp_cache_get( 'k', 'posts' ), wp_cache_switch_to_blog( 2 ), wp_cache_get( 'k', 'posts' ), wp_cache_get( 'k', 'users' ) ), array( 'one', null, false, 'all' ) );
	$GLOBALS['multisite'] = false;
}

function test_round_trips(): void {
	request();
	wp_cache_set_multiple( array( 'a' => 1, 'b' => 2, 'c' => 3 ), 'rt' );
	$cache = request();
	wp_cache_get_multiple( array( 'a', 'b', 'c', 'none' ), 'rt' );
	check( 'sign-in with epochs, and one for many keys', $cache->round_trips(), 2 );
	wp_cache_get( 'a', 'rt' );
	wp_cache_get( 'none', 'rt' );
	check( 'nothing is asked twice', $cache->round_trips(), 2 );
	wp_cache_delete_multiple( array( 'a', 'b' ), 'rt' );
	check( 'one for many deletes', $cache->round_trips(), 3 );
	check( 'figures', array( $cache->cache_hits, $cache->cache_misses ), array( 4, 2 ) );
}

function test_look_ahead(): void {
	http_response_code( 200 );
	$names = array( 'a', 'b', 'c', 'd', 'none' );
	$page  = static function ( string $path ) use ( $names ): array {
		$cache = request( null, $path );
		$got   = array_map( static fn( $name ) => wp_cache_get( $name, 'la' ), $names );
		wp_cache_get( 'n', 'other' );
		$cache->finish();
		return array( $got, $cache );
	};
	request();
	wp_cache_set_multiple( array( 'a' => 1, 'b' => '2', 'c' => null, 'd' => array( 4 ) ), 'la' );
	wp_cache_set( 'n', 6, 'other' );
	$values       = array( 1, '2', null, array( 4 ), false );
	[ $got, $cache ] = $page( '/one/?q' );
	check( 'a new page asks one by one', array( $got, $cache->round_trips() ), array( $values, 8 ) );
	[ $got, $cache ] = $page( '/one/' );
	check( 'the next time all at once', array( $got, $cache->round_trips() ), array( $values, 2 ) );
	check( 'with the same figures', array( $cache->cache_hits, $cache->cache_misses ), array( 5, 1 ) );
	[ $got, $cache ] = $page( '/two/' );
	check( 'another page of the script too', array( $got, $cache->round_trips() ), array( $values, 2 ) );

	request( null, '/one/' );
	wp_cache_get( 'a', 'la' );
	$mine = $GLOBALS['wp_object_cache'];
	request();
	wp_cache_set( 'b', 'newer', 'la' );
	wp_cache_set( 'none', 'newer', 'la' );
	wp_cache_set( 'c', 'newer', 'la' );
	$GLOBALS['wp_object_cache'] = $mine;
	check( 'forcing asks', wp_cache_get( 'b', 'la', true ), 'newer' );
	check( 'adding asks', array( wp_cache_add( 'none', 'mine', 'la' ), wp_cache_get( 'none', 'la' ) ), array( false, 'newer' ) );
	check( 'deleted is deleted', array( wp_cache_delete( 'd', 'la' ), wp_cache_get( 'd', 'la' ) ), array( true, false ) );
	wp_cache_flush_runtime();
	check( 'forgetting asks', wp_cache_get( 'c', 'la' ), 'newer' );
	$page( '/one/' );
	request( null, '/one/' );
	wp_cache_get( 'n', 'other' );
	wp_cache_flush();
	check( 'a flush voids it', array( wp_cache_get( 'a', 'la' ), wp_cache_get( 'b', 'la' ) ), array( false, false ) );
	[ $got ] = $page( '/one/' );
	check( 'also later', $got, array( false, false, false, false, false ) );
	http_response_code( 404 );
	runner( 'flushall' );
	$page( '/missing/' );
	check( 'what is not found leaves no names', runner( 'keys *:page:*' ), '' );
	check( 'nothing for a POST', LookAhead::for_request( array( 'REQUEST_METHOD' => 'POST', 'REQUEST_URI' => '/', 'SCRIPT_NAME' => '/' ), array() ), null );
}

function test_flush(): void {
	$old = request();
	wp_cache_set( 'f', 'old' );
	wp_cache_set( 'g', 'old' );
	wp_cache_get( 'h' );
	request();
	check( 'flush', wp_cache_flush() );
	check( 'empties', wp_cache_get( 'f' ), false );
	wp_cache_set( 'f', 'new' );
	$GLOBALS['wp_object_cache'] = $old;
	wp_cache_set( 'g', 'from before the flush' );
	check( 'an older request reads its own write', wp_cache_get( 'g' ), 'from before the flush' );
	check( 'and the new epoch', wp_cache_get( 'f' ), 'new' );
	request();
	check( 'a write from before the flush does not survive it', wp_cache_get( 'g' ), false );
	check( 'a write after it does', wp_cache_get( 'f' ), 'new' );
	runner( 'del epoch' );
	request();
	check( 'without its epochs the cache is empty', wp_cache_get( 'f' ), false );
	check( 'and works', array( wp_cache_set( 'f', 1 ), wp_cache_get( 'f', '', true ) ), array( true, 1 ) );
	runner( 'del epoch' );
	wp_cache_set( 'i', 1 );
	check( 'also when they are lost in the middle', array( wp_cache_set( 'j', 2 ), wp_cache_get( 'j', '', true ), $GLOBALS['wp_object_cache']->round_trips() > 2 ), array( true, 2, true ) );
}

function test_alloptions(): void {
	request();
	wp_cache_add( 'alloptions', array( 'x' => 1, 'y' => 1, 'z' => 1 ), 'options' );
	$one = request();
	$all = wp_cache_get( 'alloptions', 'options' );
	request();
	$mine      = wp_cache_get( 'alloptions', 'options' );
	$mine['y'] = 2;
	unset( $mine['z'] );
	wp_cache_set( 'alloptions', $mine, 'options' );
	$GLOBALS['wp_object_cache'] = $one;
	$all['x']                   = 2;
	wp_cache_set( 'alloptions', $all, 'options' );
	request();
	check( 'two requests change different options', wp_cache_get( 'alloptions', 'options' ), array( 'x' => 2, 'y' => 2 ) );
	check( 'its lifetime stays', (int) runner( 'ttl options:alloptions' ) > 1700 );
	wp_cache_set( 'counter', 0, 'race' );
	wp_cache_delete( 'alloptions', 'options' );
	runner( 'race' );
	request();
	$all  = wp_cache_get( 'alloptions', 'options' );
	$rows = table();
	check( 'four processes change 50 each', count( $rows ), 200 );
	check( 'and none is missing in the cache', false === $all ? array() : array_keys( array_diff_key( $rows, $all ) ), array() );
	check( 'and count together', wp_cache_get( 'counter', 'race' ), 200 );
}

function test_acl(): void {
	$redis = $GLOBALS['setup']['redis'];
	$wrong = array( 'password' => 'wrong' ) + $redis;
	request( $wrong );
	check( 'a wrong password is no error', array( wp_cache_set( 'w', 1 ), wp_cache_get( 'w' ) ), array( true, 1 ) );
	hold_off_over();
	request( array( 'prefix' => 't_other:' ) + $redis );
	check( 'nor is another prefix', array( wp_cache_set( 'w', 2 ), wp_cache_get( 'w' ) ), array( true, 2 ) );
	check( 'of which redis has nothing', runner( 'keys t_other:*' ), '' );
	hold_off_over();
	request();
	check( 'the right one works again', array( wp_cache_get( 'w' ), wp_cache_set( 'w', 3 ), wp_cache_get( 'w', '', true ) ), array( false, true, 3 ) );
	check( 'and the note is gone', filesize( mark() ), 0 );
}

/** Redis unreachable before the first contact, in the middle, hanging; and back with its old values. */
function test_outage(): void {
	request();
	wp_cache_set( 'o', 'old' );
	wp_cache_set( 'p', 'old' );
	runner( 'hide' ); // The socket is gone, Redis and its values are not.
	request();
	check( 'unreachable: a read is a miss', wp_cache_get( 'o' ), false );
	check( 'a write works', array( wp_cache_set( 'o', 'new' ), wp_cache_get( 'o' ), wp_cache_get( 'o', '', true ) ), array( true, 'new', 'new' ) );
	check( 'add', array( wp_cache_add( 'o', 'x' ), wp_cache_add( 'q', 'x' ), wp_cache_get( 'q' ) ), array( false, true, 'x' ) );
	check( 'replace', array( wp_cache_replace( 'o', 'y' ), wp_cache_replace( 'none', 'y' ), wp_cache_get( 'none' ) ), array( true, false, false ) );
	wp_cache_set( 'n', 5 );
	check( 'incr', array( wp_cache_incr( 'n' ), wp_cache_incr( 'none' ) ), array( 6, false ) );
	check( 'delete', array( wp_cache_delete( 'o' ), wp_cache_get( 'o' ) ), array( true, false ) );
	check( 'many', array( wp_cache_set_multiple( array( 'm' => 1 ) ), wp_cache_get_multiple( array( 'm', 'none' ) ), wp_cache_delete_multiple( array( 'm' ) ) ), array( array( 'm' => true ), array( 'm' => 1, 'none' => false ), array( 'm' => true ) ) );
	check( 'flushes', array( wp_cache_flush_group( 'g' ), wp_cache_flush() ), array( true, true ) );
	check( 'all options', array( wp_cache_set( 'alloptions', array( 1 ), 'options' ), wp_cache_set( 'alloptions', array( 2 ), 'options' ), wp_cache_get( 'alloptions', 'options' ) ), array( true, true, array( 2 ) ) );
	clearstatcache();
	check( 'it is noted', filesize( mark() ) > 0 );
	runner( 'show' );
	file_put_contents( mark(), sprintf( '%.3F', microtime( true ) ) );
	request();
	check( 'back, but left alone for a second', array( wp_cache_get( 'o' ), $GLOBALS['wp_object_cache']->round_trips() ), array( false, 0 ) );
	hold_off_over();
	request();
	check( 'back: nothing from before', array( wp_cache_get( 'o' ), wp_cache_get( 'p' ) ), array( false, false ) );
	clearstatcache();
	check( 'the note is gone', filesize( mark() ), 0 );
	wp_cache_set( 'o', 'after' );
	request();
	check( 'and it caches', wp_cache_get( 'o' ), 'after' );

	$reader = request();
	wp_cache_get( 'o' );
	request();
	runner( 'restart' ); // Killed and started empty, in the middle of two requests.
	check( 'killed in the middle: a write works', array( wp_cache_set( 'o', 'newer' ), wp_cache_get( 'o' ) ), array( true, 'newer' ) );
	$GLOBALS['wp_object_cache'] = $reader;
	check( 'a read too', array( wp_cache_get( 'o' ), wp_cache_get( 'z' ) ), array( 'after', false ) );
	hold_off_over();
	request();
	check( 'the next request caches', array( wp_cache_get( 'o' ), wp_cache_set( 'o', 1 ), wp_cache_get( 'o', '', true ) ), array( false, true, 1 ) );

	runner( 'stop' );
	$start = microtime( true );
	request();
	check( 'hanging: a read is a miss', wp_cache_get( 'o' ), false );
	wp_cache_set( 'o', 2 );
	check( 'within the time-outs', microtime( true ) - $start < 5 );
	file_put_contents( mark(), sprintf( '%.3F', microtime( true ) ) ); // However slow this machine is.
	request();
	check( 'and the next request does not try', array( wp_cache_get( 'o' ), $GLOBALS['wp_object_cache']->round_trips() ), array( false, 0 ) );
	runner( 'continue' );
	hold_off_over();
	request();
	check( 'nothing stale afterwards', wp_cache_get( 'o' ), false );

	$missed = request(); // Two requests in flight when Redis vanishes; the later write comes after the recovery.
	wp_cache_get( 'o' );
	wp_cache_set( 'r', 'old' );
	runner( 'cut' );
	wp_cache_set( 'q', 1 ); // Notices.
	hold_off_over();
	request();
	wp_cache_set( 'r', 'old' );
	clearstatcache();
	check( 'another request recovers', filesize( mark() ), 0 );
	$GLOBALS['wp_object_cache'] = $missed;
	wp_cache_delete( 'r' );
	request();
	check( 'a write missed after the recovery is noted too', wp_cache_get( 'r' ), false );
}

if ( isset( $argv[1] ) ) {
	race( $argv[1] );
	exit;
}
foreach ( array( 'values', 'add_replace_delete', 'numbers', 'lifetimes', 'groups', 'round_trips', 'look_ahead', 'flush', 'alloptions', 'acl', 'outage' ) as $test ) {
	( "test_$test" )();
	runner( 'flushall' );
}
