<?php
/**
 * `search-replace`: text in the database, also within what PHP has serialized.
 *
 * Invariants:
 * - Nothing is unserialized into objects: serialized text is rewritten as text (Serialized), its
 *   lengths counted anew. Names of classes and properties, keys of arrays, and what a class has
 *   serialized by itself (`C:`) stay byte for byte.
 * - What looks serialized and is not whole is left alone as a whole.
 * - Primary keys are never changed; a table without one is left out, and named.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

/** Text that PHP has serialized, rewritten without PHP's unserialize(). */
final class Serialized {

	/** Depth at which something is taken for no data of a site. */
	private const MAX_DEPTH = 256;

	private int $at = 0;

	private function __construct(
		private string $text,
		private string $old,
		private string $new,
		private int $depth
	) {
	}

	/** Replaces within a value; serialized ones, also nested, stay valid. */
	public static function replace( string $value, string $old, string $new, int $depth = 0 ): string {
		if ( ! str_contains( $value, $old ) ) {
			return $value;
		}
		if ( $depth < self::MAX_DEPTH && self::looks_so( $value ) ) {
			$reader = new self( $value, $old, $new, $depth );
			$done   = $reader->value();
			// With something behind it, it is text that only begins like that.
			if ( null !== $done && strlen( $value ) === $reader->at ) {
				return $done;
			}
			if ( self::is_broken( $value ) ) {
				return $value;
			}
		}
		return str_replace( $old, $new, $value );
	}

	private static function looks_so( string $value ): bool {
		return 1 === preg_match( '/^(?:[aOCs]:\d+:|E:\d+:)/', $value );
	}

	/** Whether it was meant to be serialized: begins and ends so, but its lengths are wrong. */
	private static function is_broken( string $value ): bool {
		return 1 === preg_match( '/^(?:a:\d+:\{.*\}|[OC]:\d+:"[^"]*":\d+:\{.*\}|s:\d+:".*";)\s*$/Ds', $value );
	}

	/** The value that begins here, rewritten; null when it is none. */
	private function value(): ?string {
		if ( ++$this->depth > self::MAX_DEPTH ) {
			return null;
		}
		$kind = $this->text[ $this->at ] ?? '';
		$done = match ( $kind ) {
			'N', 'b', 'i', 'd', 'r', 'R' => $this->take( '/\G(?:N|[bi]:-?\d+|d:[-+.0-9A-Za-z]+|[rR]:\d+);/' ),
			's' => $this->string( true ),
			'E' => $this->string( false ),
			'a' => $this->members( '/\Ga:(\d+):\{/' ),
			'O' => $this->members( '/\GO:\d+:"[^"]*":(\d+):\{/' ),
			'C' => $this->custom(),
			default => null,
		};
		--$this->depth;
		return $done;
	}

	/** What matches here, as it is. */
	private function take( string $pattern ): ?string {
		if ( 1 !== preg_match( $pattern, $this->text, $found, 0, $this->at ) ) {
			return null;
		}
		$this->at += strlen( $found[0] );
		return $found[0];
	}

	private function string( bool $is_replaced ): ?string {
		if ( 1 !== preg_match( '/\G([sE]):(\d+):"/', $this->text, $found, 0, $this->at ) ) {
			return null;
		}
		$start  = $this->at + strlen( $found[0] );
		$length = (int) $found[2];
		if ( '";' !== substr( $this->text, $start + $length, 2 ) ) {
			return null;
		}
		$this->at = $start + $length + 2;
		$inner    = substr( $this->text, $start, $length );
		if ( $is_replaced ) {
			$inner = self::replace( $inner, $this->old, $this->new, $this->depth );
		}
		return "{$found[1]}:" . strlen( $inner ) . ":\"$inner\";";
	}

	/** Keys, which stay, and values. */
	private function members( string $pattern ): ?string {
		if ( 1 !== preg_match( $pattern, $this->text, $found, 0, $this->at ) ) {
			return null;
		}
		$this->at += strlen( $found[0] );
		$done      = $found[0];
		for ( $left = (int) $found[1]; $left > 0; --$left ) {
			$key   = 's' === ( $this->text[ $this->at ] ?? '' ) ? $this->key() : $this->take( '/\Gi:-?\d+;/' );
			$value = null === $key ? null : $this->value();
			if ( null === $value ) {
				return null;
			}
			$done .= $key . $value;
		}
		if ( '}' !== ( $this->text[ $this->at ] ?? '' ) ) {
			return null;
		}
		++$this->at;
		return $done . '}';
	}

	private function key(): ?string {
		$begin = $this->at;
		return null === $this->string( false ) ? null : substr( $this->text, $begin, $this->at - $begin );
	}

	/** What a class has written by itself: only it knows what it means. */
	private function custom(): ?string {
		if ( 1 !== preg_match( '/\GC:\d+:"[^"]*":(\d+):\{/', $this->text, $found, 0, $this->at ) ) {
			return null;
		}
		$end = $this->at + strlen( $found[0] ) + (int) $found[1];
		if ( '}' !== ( $this->text[ $end ] ?? '' ) ) {
			return null;
		}
		$done     = substr( $this->text, $this->at, $end + 1 - $this->at );
		$this->at = $end + 1;
		return $done;
	}
}

/** @return string[] Tables to look through. */
function tables_of( Call $call ): array {
	global $wpdb;
	$there = $wpdb->get_col( 'SHOW TABLES' );
	$asked = array_slice( $call->words, 2 );
	if ( $asked ) {
		$missing = array_filter( $asked, static fn( $name ) => ! preg_grep( '/^' . strtr( preg_quote( $name, '/' ), array( '\*' => '.*', '\?' => '.' ) ) . '$/D', $there ) );
		if ( $missing ) {
			throw new Failure( 'there is no table ' . implode( ', ', $missing ) . '.' );
		}
		$chosen = array_filter( $there, static fn( $table ) => (bool) array_filter( $asked, static fn( $name ) => fnmatch( $name, $table ) ) );
	} elseif ( $call->is( 'all-tables' ) ) {
		$chosen = $there;
	} elseif ( $call->is( 'all-tables-with-prefix' ) ) {
		$chosen = array_filter( $there, static fn( $table ) => str_starts_with( $table, $wpdb->prefix ) );
	} else {
		$chosen = array_intersect( $there, $wpdb->tables( 'all' ) );
	}
	$skipped = $call->items( 'skip-tables' );
	return array_values( array_filter( $chosen, static fn( $table ) => ! array_filter( $skipped, static fn( $name ) => fnmatch( $name, $table ) ) ) );
}

/** A name as SQL takes it. */
function quoted( string $name ): string {
	return '`' . str_replace( '`', '``', $name ) . '`';
}

/** Replaces in a column; how many rows. */
function replace_in_column( string $table, array $keys, string $column, string $old, string $new, bool $dry ): int {
	global $wpdb;
	$where = quoted( $column ) . ' LIKE BINARY ' . $wpdb->remove_placeholder_escape( $wpdb->prepare( '%s', '%' . $wpdb->esc_like( $old ) . '%' ) );
	$names = implode( ', ', array_map( __NAMESPACE__ . '\quoted', $keys ) );
	$found = $wpdb->get_results( "SELECT $names FROM " . quoted( $table ) . " WHERE $where", ARRAY_A ); // phpcs:ignore
	$count = 0;
	foreach ( $found as $row ) {
		$is_row = array();
		foreach ( $row as $name => $value ) {
			$is_row[] = quoted( $name ) . ' = ' . $wpdb->prepare( '%s', $value );
		}
		$is_row = implode( ' AND ', $is_row );
		$value  = $wpdb->get_var( 'SELECT ' . quoted( $column ) . ' FROM ' . quoted( $table ) . " WHERE $is_row" ); // phpcs:ignore
		$done   = Serialized::replace( (string) $value, $old, $new );
		if ( $done === $value ) {
			continue;
		}
		++$count;
		if ( $dry ) {
			continue;
		}
		$set = $wpdb->prepare( quoted( $column ) . ' = %s', $done ); // phpcs:ignore
		if ( false === $wpdb->query( 'UPDATE ' . quoted( $table ) . " SET $set WHERE $is_row" ) ) { // phpcs:ignore
			throw new Failure( "$table.$column can't be written: {$wpdb->last_error}" );
		}
	}
	return $count;
}

/** Replaces in a table; rows of the report. */
function replace_in_table( Call $call, string $table ): array {
	global $wpdb;
	list( $old, $new ) = $call->words;
	$columns = $wpdb->get_results( 'SHOW COLUMNS FROM ' . quoted( $table ), ARRAY_A ); // phpcs:ignore
	$keys    = array_column( array_filter( $columns, static fn( $column ) => 'PRI' === $column['Key'] ), 'Field' );
	if ( ! $keys ) {
		warning( "the table $table has no primary key; it is left out." );
		return array();
	}
	$included = $call->items( 'include-columns' );
	$skipped  = $call->items( 'skip-columns' );
	$rows     = array();
	foreach ( $columns as $column ) {
		$name = $column['Field'];
		if ( ! preg_match( '/^(?:(?:var)?char|(?:tiny|medium|long)?(?:text|blob)|json)/i', $column['Type'] ) || in_array( $name, $keys, true )
			|| in_array( $name, $skipped, true ) || ( $included && ! in_array( $name, $included, true ) ) ) {
			continue;
		}
		$rows[] = array(
			'Table'        => $table,
			'Column'       => $name,
			'Replacements' => replace_in_column( $table, $keys, $name, $old, $new, $call->is( 'dry-run' ) ),
			'Type'         => 'PHP',
		);
	}
	return $rows;
}

function search_replace( Call $call ): int {
	list( $old, $new ) = $call->words;
	if ( '' === $old ) {
		throw new Failure( 'what is searched is empty.' );
	}
	if ( $old === $new ) {
		warning( 'Replacement value is identical to search value. Skipping operation.' );
		return 0;
	}
	$rows = array();
	foreach ( tables_of( $call ) as $table ) {
		array_push( $rows, ...replace_in_table( $call, $table ) );
	}
	$total = array_sum( array_column( $rows, 'Replacements' ) );
	if ( ! $call->is( 'dry-run' ) && $total > 0 ) {
		wp_cache_flush();
	}
	if ( 'count' === $call->text( 'format', 'table' ) ) {
		line( (string) $total );
		return 0;
	}
	if ( ! $call->has( 'report' ) || $call->is( 'report' ) ) {
		$shown = $call->is( 'report-changed-only' ) ? array_filter( $rows, static fn( $row ) => $row['Replacements'] > 0 ) : $rows;
		show_rows( $call->text( 'format', 'table' ), $shown, array( 'Table', 'Column', 'Replacements', 'Type' ) );
	}
	$many = 1 === $total ? '1 replacement' : "$total replacements";
	success( $call->is( 'dry-run' ) ? "$many to be made." : "Made $many." );
	return 0;
}
