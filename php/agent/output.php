<?php
/**
 * What a command answers, in wp-cli's formats.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

/** A line of the answer. */
function line( string $text ): void {
	fwrite( STDOUT, $text . "\n" );
}

/** The line that says that it is done. */
function success( string $text ): void {
	line( "Success: $text" );
}

/** Something that did not work, though the rest did. */
function warning( string $text ): void {
	fwrite( STDERR, "Warning: $text\n" );
}

/** A value as one cell shows it. */
function cell( mixed $value ): string {
	if ( null === $value ) {
		return '';
	}
	if ( is_bool( $value ) ) {
		return $value ? '1' : '';
	}
	return is_scalar( $value ) ? (string) $value : as_json( $value );
}

function as_json( mixed $value ): string {
	return (string) json_encode( $value, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR );
}

/**
 * One value, as `option get` shows it.
 */
function show_value( Call $call, mixed $value ): void {
	$format = $call->text( 'format', 'table' );
	if ( 'json' === $format ) {
		line( as_json( $value ) );
	} elseif ( is_array( $value ) || is_object( $value ) ) {
		line( var_export( $value, true ) ); // phpcs:ignore
	} else {
		line( cell( $value ) );
	}
}

/**
 * One thing by its fields, as `plugin get` shows it.
 *
 * @param array<string, mixed> $item     All fields.
 * @param string[]             $standard Fields that are shown unless others are asked for.
 */
function show_item( Call $call, array $item, array $standard ): void {
	$field = $call->text( 'field' );
	if ( null !== $field ) {
		known_fields( $item, array( $field ) );
		show_value( $call, $item[ $field ] );
		return;
	}
	$fields = $call->items( 'fields' );
	$fields = $fields ? $fields : $standard;
	known_fields( $item, $fields );
	$chosen = array();
	foreach ( $fields as $name ) {
		$chosen[ $name ] = $item[ $name ];
	}
	if ( 'json' === $call->text( 'format', 'table' ) ) {
		line( as_json( $chosen ) );
		return;
	}
	$rows = array();
	foreach ( $chosen as $name => $value ) {
		$rows[] = array(
			'Field' => $name,
			'Value' => $value,
		);
	}
	show_rows( $call->text( 'format', 'table' ), $rows, array( 'Field', 'Value' ) );
}

/**
 * A list of things, as `plugin list` shows it.
 *
 * @param array<int, array<string, mixed>> $items    With all fields.
 * @param string[]                         $standard Fields that are shown unless others are asked for.
 * @param string                           $id       Field that `--format=ids` shows.
 */
function show_list( Call $call, array $items, array $standard, string $id ): void {
	$format = $call->text( 'format', 'table' );
	$field  = $call->text( 'field' );
	$fields = $call->items( 'fields' );
	$fields = $fields ? $fields : $standard;
	if ( $items ) {
		known_fields( $items[ array_key_first( $items ) ], null === $field ? $fields : array( $field ) );
	}
	if ( 'count' === $format ) {
		line( (string) count( $items ) );
	} elseif ( 'ids' === $format ) {
		fwrite( STDOUT, implode( ' ', array_column( $items, $id ) ) );
	} elseif ( null !== $field && 'json' === $format ) {
		line( as_json( array_column( $items, $field ) ) );
	} elseif ( null !== $field ) {
		foreach ( $items as $item ) {
			line( cell( $item[ $field ] ) );
		}
	} elseif ( 'json' === $format ) {
		$pick = static fn( $item ) => array_combine( $fields, array_map( static fn( $name ) => $item[ $name ], $fields ) );
		line( as_json( array_map( $pick, array_values( $items ) ) ) );
	} else {
		show_rows( $format, $items, $fields );
	}
}

/**
 * @param array<int, array<string, mixed>> $rows   Of at least these fields.
 * @param string[]                         $fields In order.
 */
function show_rows( string $format, array $rows, array $fields ): void {
	$cells = array( $fields );
	foreach ( $rows as $row ) {
		$cells[] = array_map( static fn( $name ) => cell( $row[ $name ] ?? null ), $fields );
	}
	if ( 'csv' === $format ) {
		foreach ( $cells as $row ) {
			fputcsv( STDOUT, $row, ',', '"', '' );
		}
	} elseif ( 'table' !== $format ) {
		throw new Failure( "there is no --format=$format here: table, csv, json, ids, count." );
	} elseif ( '0' === getenv( 'SHELL_PIPE' ) ) {
		show_borders( $cells );
	} else {
		foreach ( $cells as $row ) {
			line( implode( "\t", array_map( static fn( $cell ) => strtr( $cell, "\t\r\n", '   ' ), $row ) ) );
		}
	}
}

/**
 * A table with borders, for a terminal; the widest columns are cut where it is too narrow.
 *
 * @param string[][] $cells The first row has the names.
 */
function show_borders( array $cells ): void {
	$columns = count( $cells[0] );
	$widths  = array_fill( 0, $columns, 1 );
	foreach ( $cells as &$row ) {
		foreach ( $row as $at => &$cell ) {
			$cell          = (string) preg_replace( '/[\x00-\x1f\x7f]+/', ' ', $cell );
			$widths[ $at ] = max( $widths[ $at ], mb_strwidth( $cell ) );
		}
	}
	unset( $row, $cell );
	$room = max( 20, (int) getenv( 'COLUMNS' ) - 3 * $columns - 1 );
	while ( array_sum( $widths ) > $room && max( $widths ) > 8 ) {
		--$widths[ array_search( max( $widths ), $widths, true ) ];
	}
	$border = '+' . implode( '+', array_map( static fn( $width ) => str_repeat( '-', $width + 2 ), $widths ) ) . '+';
	line( $border );
	foreach ( $cells as $number => $row ) {
		$shown = array();
		foreach ( $row as $at => $cell ) {
			$cell    = mb_strwidth( $cell ) > $widths[ $at ] ? mb_strimwidth( $cell, 0, $widths[ $at ], '…' ) : $cell;
			$shown[] = ' ' . $cell . str_repeat( ' ', max( 0, $widths[ $at ] - mb_strwidth( $cell ) ) ) . ' ';
		}
		line( '|' . implode( '|', $shown ) . '|' );
		if ( 0 === $number ) {
			line( $border );
		}
	}
	line( $border );
}

/**
 * Refuses fields that a thing does not have.
 *
 * @param array<string, mixed> $item  A thing.
 * @param string[]             $names Asked for.
 */
function known_fields( array $item, array $names ): void {
	$unknown = array_diff( $names, array_keys( $item ) );
	if ( $unknown ) {
		throw new Failure( 'there is no field ' . implode( ', ', $unknown ) . '; there are ' . implode( ', ', array_keys( $item ) ) . '.' );
	}
}
