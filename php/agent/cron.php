<?php
/**
 * `cron event …`.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

/** @return array<int, array<string, mixed>> In the order in which they are due. */
function cron_events(): array {
	$rows = array();
	foreach ( (array) _get_cron_array() as $time => $hooks ) {
		foreach ( (array) $hooks as $hook => $events ) {
			foreach ( (array) $events as $key => $event ) {
				$interval = $event['interval'] ?? 0;
				$rows[]   = array(
					'hook'              => $hook,
					'next_run_gmt'      => gmdate( 'Y-m-d H:i:s', $time ),
					'next_run_relative' => from_now( $time - time() ),
					'recurrence'        => $interval ? span( $interval ) : 'Non-repeating',
					'time'              => $time,
					'sig'               => $key,
					'args'              => $event['args'],
					'schedule'          => $event['schedule'],
					'interval'          => $interval,
				);
			}
		}
	}
	return $rows;
}

function from_now( int $seconds ): string {
	return $seconds <= 0 ? 'now' : span( $seconds );
}

/** Seconds in words, the two largest units. */
function span( int $seconds ): string {
	$parts = array();
	foreach ( array( 'year' => 31536000, 'month' => 2592000, 'week' => 604800, 'day' => 86400, 'hour' => 3600, 'minute' => 60, 'second' => 1 ) as $unit => $length ) { // phpcs:ignore
		$count = intdiv( $seconds, $length );
		if ( $count > 0 && count( $parts ) < 2 ) {
			$parts[]  = "$count $unit" . ( 1 === $count ? '' : 's' );
			$seconds -= $count * $length;
		}
	}
	return implode( ' ', $parts );
}

function cron_event_list( Call $call ): int {
	show_list( $call, cron_events(), array( 'hook', 'next_run_gmt', 'next_run_relative', 'recurrence' ), 'hook' );
	return 0;
}

function cron_event_run( Call $call ): int {
	$events = array_filter(
		cron_events(),
		static fn( $event ) => $call->is( 'all' )
			|| ( $call->is( 'due-now' ) && $event['time'] <= time() && ( ! $call->words || in_array( $event['hook'], $call->words, true ) ) )
			|| ( ! $call->is( 'due-now' ) && in_array( $event['hook'], $call->words, true ) )
	);
	$missing = array_diff( $call->words, array_column( $events, 'hook' ) );
	if ( $missing && ! $call->is( 'due-now' ) ) {
		throw new Failure( 'Invalid cron event ' . "'" . implode( "', '", $missing ) . "'" );
	}
	if ( ! $call->words && ! $call->is( 'all' ) && ! $call->is( 'due-now' ) ) {
		throw new Failure( 'Please specify one or more cron events, or use --due-now/--all.' );
	}
	if ( ! defined( 'DOING_CRON' ) ) {
		define( 'DOING_CRON', true );
	}
	foreach ( $events as $event ) {
		$started = microtime( true );
		if ( $event['schedule'] ) {
			wp_reschedule_event( $event['time'], $event['schedule'], $event['hook'], $event['args'] );
		}
		wp_unschedule_event( $event['time'], $event['hook'], $event['args'] );
		do_action_ref_array( $event['hook'], $event['args'] );
		line( sprintf( "Executed the cron event '%s' in %.3fs.", $event['hook'], microtime( true ) - $started ) );
	}
	success( 'Executed a total of ' . count( $events ) . ' cron event' . ( 1 === count( $events ) ? '' : 's' ) . '.' );
	return 0;
}
