<?php
/**
 * Says when the site wants to be woken for its scheduled events.
 *
 * Role: WordPress's own trigger, a visit, is off (DISABLE_WP_CRON); the shard wakes sites. Whenever
 * the list of events changes, the time of private/cron-due becomes that of the first one due. The
 * shard looks at these times, and at the database now and then, should nothing have been said.
 *
 * Invariants:
 * - A list that stays as it is costs nothing; on an ordinary page nothing happens.
 * - An event that happens once is told as it is. One that repeats may be told later by a sixtieth of
 *   its interval, a minute at most, so that events that are near each other are done in one run
 *   (TOLD_LATE_S in shard/src/cron/schedule.rs).
 * - What is written concerns only when this site is woken.
 *
 * @package AIPress
 */

namespace AIPress\Cron;

use AIPress\Site;

/** Longest time, in seconds, that an event that repeats may wait for others. */
const PATIENCE = 60;

/**
 * When the first event is due; null when there is none.
 *
 * @param mixed $list WordPress's list: time => hook => key => event, and `version`.
 */
function first_due( mixed $list ): ?int {
	$first = null;
	foreach ( is_array( $list ) ? $list : array() as $time => $hooks ) {
		// Later ones cannot be first whatever they are; the list may have thousands.
		if ( ! is_int( $time ) || ( null !== $first && $time >= $first ) ) {
			continue;
		}
		foreach ( is_array( $hooks ) ? $hooks : array() as $events ) {
			foreach ( is_array( $events ) ? $events : array() as $event ) {
				$interval = $event['interval'] ?? 0;
				$wait     = is_numeric( $interval ) ? (int) min( max( 0, $interval ) / 60, PATIENCE ) : 0;
				$first    = min( $first ?? PHP_INT_MAX, $time + $wait );
			}
		}
	}
	return $first;
}

/** Tells the shard. A full disk must not break a page: the shard reads the database, too. */
function tell( mixed $list ): void {
	$file = Site::current()->site_dir . '/private/cron-due';
	$due  = first_due( $list );
	if ( null === $due ) {
		@unlink( $file );
	} else {
		@touch( $file, max( 1, $due ) );
	}
}
add_action( 'add_option_cron', static fn( $name, $list ) => tell( $list ), 10, 2 );
add_action( 'update_option_cron', static fn( $before, $list ) => tell( $list ), 10, 2 );
add_action( 'delete_option_cron', static fn() => tell( array() ) );
