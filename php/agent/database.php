<?php
/**
 * `db size`.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

function human( int $bytes ): string {
	foreach ( array( 'GB' => 1 << 30, 'MB' => 1 << 20, 'KB' => 1 << 10 ) as $unit => $size ) {
		if ( $bytes >= $size ) {
			return round( $bytes / $size, 1 ) . " $unit";
		}
	}
	return "$bytes B";
}

function db_size( Call $call ): int {
	global $wpdb;
	$tables = $wpdb->get_results(
		$wpdb->prepare(
			'SELECT TABLE_NAME AS name, DATA_LENGTH + INDEX_LENGTH AS bytes FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s ORDER BY bytes DESC, name',
			DB_NAME
		),
		ARRAY_A
	);
	$rows   = $call->is( 'tables' )
		? $tables
		: array(
			array(
				'name'  => DB_NAME,
				'bytes' => array_sum( array_column( $tables, 'bytes' ) ),
			),
		);
	$shown  = array();
	foreach ( $rows as $row ) {
		$shown[] = array(
			'Name' => $row['name'],
			'Size' => $call->is( 'human-readable' ) ? human( (int) $row['bytes'] ) : "{$row['bytes']} B",
		);
	}
	if ( 'json' === $call->text( 'format', 'table' ) ) {
		line( as_json( $shown ) );
	} else {
		show_rows( $call->text( 'format', 'table' ), $shown, array( 'Name', 'Size' ) );
	}
	return 0;
}
