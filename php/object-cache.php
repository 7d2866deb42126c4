<?php
/**
 * The functions of WordPress's object cache API, as an object-cache.php drop-in defines them.
 *
 * Role: config.php has WordPress load this file in place of wp-content/object-cache.php. The
 * classes are in cache/; what is promised about Redis going away and coming back is in README.md.
 *
 * Invariants: the signatures and return values are those of wp-includes/cache.php. The _salted
 * functions come from WordPress's own cache-compat.php, which builds them on these.
 *
 * @package AIPress
 */

require_once __DIR__ . '/cache/Codec.php';
require_once __DIR__ . '/cache/Epochs.php';
require_once __DIR__ . '/cache/LookAhead.php';
require_once __DIR__ . '/cache/OutageMark.php';
require_once __DIR__ . '/cache/RedisStore.php';
require_once __DIR__ . '/cache/ObjectCache.php';

/** Sets up the cache of this request; Redis is not contacted before the first key is asked for. */
function wp_cache_init() {
	$site  = AIPress\Site::current();
	$redis = $site->redis();
	$store = null;
	$ahead = AIPress\Cache\LookAhead::for_request( $_SERVER, $_COOKIE );
	if ( null !== $redis ) {
		$epochs = new AIPress\Cache\Epochs( $redis['prefix'] );
		$outage = new AIPress\Cache\OutageMark( $site->site_dir . '/private/object-cache-outage' );
		$store  = static fn( Closure $on_epoch_change ) => new AIPress\Cache\RedisStore(
			static fn() => AIPress\Site::current()->redis(),
			$epochs,
			$outage,
			$on_epoch_change,
			$ahead->hints ?? array()
		);
	}
	$GLOBALS['wp_object_cache'] = new WP_Object_Cache( $store, $ahead ); // phpcs:ignore -- WordPress's own name.
}

/** Whether the cache has a feature; see wp_cache_supports() of WordPress for their names. */
function wp_cache_supports( $feature ) {
	return in_array(
		$feature,
		array( 'add_multiple', 'set_multiple', 'get_multiple', 'delete_multiple', 'flush_runtime', 'flush_group' ),
		true
	);
}

function wp_cache_add( $key, $data, $group = '', $expire = 0 ) {
	return $GLOBALS['wp_object_cache']->add( $key, $data, $group, $expire );
}

function wp_cache_add_multiple( array $data, $group = '', $expire = 0 ) {
	return $GLOBALS['wp_object_cache']->add_multiple( $data, $group, $expire );
}

function wp_cache_replace( $key, $data, $group = '', $expire = 0 ) {
	return $GLOBALS['wp_object_cache']->replace( $key, $data, $group, $expire );
}

function wp_cache_set( $key, $data, $group = '', $expire = 0 ) {
	return $GLOBALS['wp_object_cache']->set( $key, $data, $group, $expire );
}

function wp_cache_set_multiple( array $data, $group = '', $expire = 0 ) {
	return $GLOBALS['wp_object_cache']->set_multiple( $data, $group, $expire );
}

function wp_cache_get( $key, $group = '', $force = false, &$found = null ) {
	return $GLOBALS['wp_object_cache']->get( $key, $group, $force, $found );
}

function wp_cache_get_multiple( $keys, $group = '', $force = false ) {
	return $GLOBALS['wp_object_cache']->get_multiple( $keys, $group, $force );
}

function wp_cache_delete( $key, $group = '' ) {
	return $GLOBALS['wp_object_cache']->delete( $key, $group );
}

function wp_cache_delete_multiple( array $keys, $group = '' ) {
	return $GLOBALS['wp_object_cache']->delete_multiple( $keys, $group );
}

function wp_cache_incr( $key, $offset = 1, $group = '' ) {
	return $GLOBALS['wp_object_cache']->incr( $key, $offset, $group );
}

function wp_cache_decr( $key, $offset = 1, $group = '' ) {
	return $GLOBALS['wp_object_cache']->decr( $key, $offset, $group );
}

function wp_cache_flush() {
	return $GLOBALS['wp_object_cache']->flush();
}

function wp_cache_flush_runtime() {
	return $GLOBALS['wp_object_cache']->flush_runtime();
}

function wp_cache_flush_group( $group ) {
	return $GLOBALS['wp_object_cache']->flush_group( $group );
}

function wp_cache_add_global_groups( $groups ) {
	$GLOBALS['wp_object_cache']->add_global_groups( $groups );
}

function wp_cache_add_non_persistent_groups( $groups ) {
	$GLOBALS['wp_object_cache']->add_non_persistent_groups( $groups );
}

function wp_cache_switch_to_blog( $blog_id ) {
	$GLOBALS['wp_object_cache']->switch_to_blog( $blog_id );
}

/**
 * WordPress calls this at the end of a request, but before other shutdown functions that may
 * still write; the connection ends with the request by itself.
 */
function wp_cache_close() {
	$GLOBALS['wp_object_cache']->finish();
	return true;
}
