<?php
/**
 * `option …`.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

/** Options that the platform defines as constants: a stored value changes nothing. */
const PLATFORM_OPTIONS = array( 'home', 'siteurl' );

/** The value that was given, or standard input, in the format that was said. */
function given_value( Call $call ): mixed {
	$text = $call->words[1] ?? rtrim( (string) stream_get_contents( STDIN ), "\n" );
	if ( 'json' !== $call->text( 'format', 'plaintext' ) ) {
		return $text;
	}
	$value = json_decode( $text, true );
	if ( null === $value && 'null' !== trim( $text ) ) {
		throw new Failure( 'the value is not JSON: ' . json_last_error_msg() . '.' );
	}
	return $value;
}

/** As add_option() and update_option() take it in 6.1 to 7.1. */
function given_autoload( Call $call ): ?string {
	$autoload = $call->text( 'autoload' );
	if ( null === $autoload ) {
		return null;
	}
	return in_array( strtolower( $autoload ), array( 'no', 'off', 'false', '0' ), true ) ? 'no' : 'yes';
}

function option_get( Call $call ): int {
	$missing = new \stdClass();
	$value   = get_option( $call->words[0], $missing );
	if ( $value === $missing ) {
		throw new Failure( "Could not get '{$call->words[0]}' option. Does it exist?" );
	}
	show_value( $call, $value );
	return 0;
}

function option_add( Call $call ): int {
	$name = $call->words[0];
	if ( ! add_option( $name, given_value( $call ), '', given_autoload( $call ) ?? 'yes' ) ) {
		throw new Failure( "Could not add option '$name'. Does it already exist?" );
	}
	success( "Added '$name' option." );
	return 0;
}

function option_update( Call $call ): int {
	$name  = $call->words[0];
	$value = sanitize_option( $name, given_value( $call ) );
	if ( in_array( $name, PLATFORM_OPTIONS, true ) ) {
		warning( "the address is the platform's: `$name` is what the site's first host is, whatever is stored." );
	}
	$missing  = new \stdClass();
	$autoload = given_autoload( $call );
	if ( null === $autoload && maybe_serialize( get_option( $name, $missing ) ) === maybe_serialize( $value ) ) {
		success( "Value passed for '$name' option is unchanged." );
		return 0;
	}
	$done = null === $autoload ? update_option( $name, $value ) : update_option( $name, $value, $autoload );
	if ( ! $done && maybe_serialize( get_option( $name, $missing ) ) !== maybe_serialize( $value ) ) {
		throw new Failure( "Could not update option '$name'." );
	}
	success( "Updated '$name' option." );
	return 0;
}

function option_delete( Call $call ): int {
	$status = 0;
	foreach ( $call->words as $name ) {
		if ( delete_option( $name ) ) {
			success( "Deleted '$name' option." );
		} else {
			warning( "Could not delete '$name' option. Does it exist?" );
			$status = 1;
		}
	}
	return $status;
}

function option_list( Call $call ): int {
	global $wpdb;
	$like  = strtr( $wpdb->esc_like( (string) $call->text( 'search', '*' ) ), array( '*' => '%', '?' => '_' ) );
	$where = $wpdb->prepare( 'option_name LIKE %s', $like );
	if ( ! $call->is( 'transients' ) ) {
		$where .= " AND option_name NOT LIKE '\\_transient\\_%' AND option_name NOT LIKE '\\_site\\_transient\\_%'";
	} else {
		$where .= " AND (option_name LIKE '\\_transient\\_%' OR option_name LIKE '\\_site\\_transient\\_%')";
	}
	$autoload = given_autoload( $call );
	if ( null !== $autoload ) {
		$where .= ' AND autoload ' . ( 'yes' === $autoload ? 'IN' : 'NOT IN' ) . " ('yes','on','auto-on','auto')";
	}
	$rows = $wpdb->get_results( "SELECT option_id, option_name, option_value, autoload, LENGTH(option_value) AS size_bytes FROM $wpdb->options WHERE $where ORDER BY option_id", ARRAY_A ); // phpcs:ignore
	show_list( $call, $rows, array( 'option_name', 'option_value' ), 'option_id' );
	return 0;
}
