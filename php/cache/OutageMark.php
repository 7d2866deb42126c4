<?php
/**
 * A durable note that Redis may hold values older than the database.
 *
 * Role: a request that could not reach Redis may have changed rows without the cached copies
 * hearing of it. Redis itself cannot be told, and the next request may be another process, so
 * the note is a file in the tenant's private folder. Whoever reaches Redis next changes the
 * epoch first, which makes every older value unreachable, and clears the note then.
 *
 * Invariants:
 * - The file is never removed or replaced, only filled and emptied under its lock; so a note
 *   that is made while another one is being cleared is either seen by the clearing process or
 *   stays, and a process killed in between leaves the note.
 * - A note is made for every write that failed, not once in a request: another process may have
 *   cleared the previous one in between.
 *
 * @package AIPress
 */

namespace AIPress\Cache;

final class OutageMark {

	/**
	 * For so long, in seconds, nobody tries Redis again: with a Redis that hangs rather than
	 * refuses, every page would otherwise wait for the time-out.
	 */
	private const HOLD_OFF = 1.0;

	/** True while this object holds the lock: flock() would wait for itself through a second handle. */
	private bool $clearing = false;

	public function __construct( private readonly string $path ) {
	}

	/** Whether there is a note. */
	public function is_set(): bool {
		return is_file( $this->path ) && filesize( $this->path ) > 0;
	}

	/** Whether Redis failed so recently that it is better left alone. */
	public function is_fresh(): bool {
		// abs(): the time in the file is rounded, and a clock may be set back.
		return abs( microtime( true ) - (float) @file_get_contents( $this->path ) ) < self::HOLD_OFF;
	}

	/**
	 * Makes the note.
	 *
	 * @param bool $unreachable Whether Redis was tried just now. A write that was missed during the
	 *                          hold-off must not prolong it, or a busy site would never try again.
	 */
	public function set( bool $unreachable ): void {
		if ( $this->clearing ) {
			return; // The note is still there, and stays since the epoch was not changed.
		}
		$file = @fopen( $this->path, 'c+' );
		if ( false === $file || ! flock( $file, LOCK_EX ) ) {
			error_log( "aipress object cache: cannot note an outage in {$this->path}; cached values may be stale until they expire" );
			return;
		}
		if ( $unreachable || 0 === fstat( $file )['size'] ) {
			ftruncate( $file, 0 );
			fwrite( $file, $unreachable ? sprintf( '%.3F', microtime( true ) ) : '0' );
		}
		fclose( $file ); // Releases the lock.
		clearstatcache( true, $this->path );
	}

	/**
	 * Clears the note after the epoch was changed.
	 *
	 * @param callable(): bool $change_epoch Called under the lock; false leaves the note. Takes no
	 *                                       longer than RedisStore's time-outs, nor do those who wait.
	 */
	public function clear( callable $change_epoch ): void {
		$file = @fopen( $this->path, 'c+' );
		if ( false === $file || ! flock( $file, LOCK_EX ) ) {
			return;
		}
		$this->clearing = true;
		if ( fstat( $file )['size'] > 0 && $change_epoch() ) { // Else another process was faster.
			ftruncate( $file, 0 );
		}
		$this->clearing = false;
		fclose( $file );
		clearstatcache( true, $this->path );
	}
}
