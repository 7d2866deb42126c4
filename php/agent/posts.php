<?php
/**
 * `post …`.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

require_once __DIR__ . '/users.php';

/** Most posts of a list that asks for no number. */
const POSTS_MAX = 100000;

const POST_FIELDS = array( 'ID', 'post_title', 'post_name', 'post_date', 'post_status' );

/** @return array<string, mixed> */
function post_fields( \WP_Post $post ): array {
	$fields = get_object_vars( $post );
	unset( $fields['filter'] );
	return $fields + array( 'url' => get_permalink( $post ) );
}

function post_list( Call $call ): int {
	$output = array( 'field', 'fields', 'format' );
	$query  = array_diff_key( $call->fields(), array_flip( $output ) ) + array(
		'posts_per_page'   => POSTS_MAX,
		'post_status'      => 'any',
		'post_type'        => 'post',
		'suppress_filters' => true,
		'no_found_rows'    => true,
	);
	foreach ( array( 'post_type', 'post_status' ) as $name ) {
		$query[ $name ] = str_contains( $query[ $name ], ',' ) ? explode( ',', $query[ $name ] ) : $query[ $name ];
	}
	$rows = array_map( __NAMESPACE__ . '\post_fields', get_posts( $query ) );
	show_list( $call, $rows, POST_FIELDS, 'ID' );
	return 0;
}

function the_post_of( string $id ): \WP_Post {
	$post = get_post( (int) $id );
	if ( ! $post ) {
		throw new Failure( "Could not find the post with ID $id." );
	}
	return $post;
}

function post_get( Call $call ): int {
	$fields = post_fields( the_post_of( $call->words[0] ) );
	show_item( $call, $fields, array_keys( $fields ) );
	return 0;
}

function post_create( Call $call ): int {
	$data = array_diff_key( $call->fields(), array( 'porcelain' => '' ) );
	if ( '-' === ( $data['post_content'] ?? '' ) ) {
		$data['post_content'] = (string) stream_get_contents( STDIN );
	}
	$id = or_fail( wp_insert_post( wp_slash( $data ), true ) );
	if ( $call->is( 'porcelain' ) ) {
		line( (string) $id );
	} else {
		success( "Created post $id." );
	}
	return 0;
}

function post_delete( Call $call ): int {
	$status = 0;
	foreach ( $call->words as $id ) {
		$post = the_post_of( $id );
		if ( ! $call->is( 'force' ) && 'trash' === $post->post_status ) {
			warning( "Post $id is in the trash; use --force to delete it." );
			$status = 1;
		} elseif ( ! wp_delete_post( $post->ID, $call->is( 'force' ) ) ) {
			warning( "Failed deleting post $id." );
			$status = 1;
		} else {
			success( ( $call->is( 'force' ) ? 'Deleted' : 'Trashed' ) . " post $id." );
		}
	}
	return $status;
}
