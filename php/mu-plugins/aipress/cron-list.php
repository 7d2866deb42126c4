<?php
/**
 * Lets two requests change the list of scheduled events at the same time.
 *
 * Role: WordPress reads the whole list when a request begins and writes it whole (_set_cron_array()),
 * so that whoever writes last takes back what the other did: a post that was scheduled while cron ran
 * would never appear. Here what a request changed, and nothing else, is applied to the list as the
 * database has it at that moment.
 *
 * Invariants:
 * - One request at a time, by a lock on private/cron-lock, which ends with the request at the latest.
 *   Whoever waited TURN seconds goes on without it: a request that hangs holds nobody.
 * - A list that stays as it is costs nothing; on an ordinary page nothing happens.
 *
 * @package AIPress
 */

namespace AIPress\CronList;

use AIPress\Site;

/** Longest wait, in seconds, for another request that changes the list. */
const TURN = 2;

/**
 * The list as the database has it now, with what this request changed; the lock is held from here
 * until the list is written.
 *
 * @param mixed $wanted What this request would write.
 * @param mixed $before What it had read.
 */
function merge( mixed $wanted, mixed $before ): mixed {
	global $wpdb;
	$added   = missing( $wanted, $before );
	$removed = missing( $before, $wanted );
	if ( ! is_array( $wanted ) || ! $added && ! $removed ) {
		return $wanted;
	}
	lock();
	$now = maybe_unserialize( $wpdb->get_var( "SELECT option_value FROM $wpdb->options WHERE option_name = 'cron'" ) );
	if ( ! is_array( $now ) ) {
		return $wanted;
	}
	$list = $now;
	foreach ( $removed as list( $time, $hook, $key ) ) {
		unset( $list[ $time ][ $hook ][ $key ] );
		if ( empty( $list[ $time ][ $hook ] ) ) {
			unset( $list[ $time ][ $hook ] );
		}
		if ( empty( $list[ $time ] ) ) {
			unset( $list[ $time ] );
		}
	}
	foreach ( $added as list( $time, $hook, $key, $event ) ) {
		$list[ $time ][ $hook ][ $key ] = $event;
	}
	uksort( $list, 'strnatcasecmp' ); // As WordPress sorts it.
	if ( $list === $now ) {
		unlock(); // Another has done the same: nothing will be written, and no action told.
	}
	return $list;
}

/**
 * Events that a list has and another has not.
 *
 * @return list<array{int, string, string, mixed}> Time, hook, key, event.
 */
function missing( mixed $list, mixed $other ): array {
	$missing = array();
	foreach ( is_array( $list ) ? $list : array() as $time => $hooks ) {
		foreach ( is_int( $time ) && is_array( $hooks ) ? $hooks : array() as $hook => $events ) {
			foreach ( is_array( $events ) ? $events : array() as $key => $event ) {
				$same = $other[ $time ][ $hook ][ $key ] ?? null;
				// The key is a hash of the arguments, which may be objects.
				if ( ! is_array( $same ) || ! is_array( $event ) || without_args( $same ) !== without_args( $event ) ) {
					$missing[] = array( $time, $hook, $key, $event );
				}
			}
		}
	}
	return $missing;
}

function without_args( array $event ): array {
	unset( $event['args'] );
	return $event;
}

/**
 * The site's turn to change the list. Whoever can't have it in time goes on without: a request that
 * hangs must not hold the others. The end of a request ends its turn.
 */
function lock(): void {
	$file = held() ?? @fopen( Site::current()->site_dir . '/private/cron-lock', 'c' );
	if ( ! $file ) {
		return;
	}
	held( $file );
	$until = microtime( true ) + TURN;
	while ( ! flock( $file, LOCK_EX | LOCK_NB ) && microtime( true ) < $until ) {
		usleep( 10000 );
	}
}

function unlock(): void {
	if ( held() ) {
		flock( held(), LOCK_UN );
	}
}

/**
 * @param resource|null $file
 * @return resource|null The open file of the turn.
 */
function held( $file = null ) {
	static $held = null;
	$held = $file ?? $held;
	return $held;
}

add_filter( 'pre_update_option_cron', __NAMESPACE__ . '\\merge', PHP_INT_MAX, 2 );
// Last, when the shard has been told of the same list (cron.php).
add_action( 'update_option_cron', __NAMESPACE__ . '\\unlock', PHP_INT_MAX, 0 );
