<?php
/**
 * A must-use plugin of the test site's own; shows the tests what they cannot see from outside.
 */

if ( isset( $_GET['probe_title'] ) ) {
	add_action( 'init', static fn() => update_option( 'blogname', $_GET['probe_title'] ) );
}

add_action(
	'init',
	static function () {
		if ( ! isset( $_GET['probe'] ) ) {
			return;
		}
		$answers = array(
			'rules'     => static function () {
				$stored = get_option( 'rewrite_rules' );
				flush_rewrite_rules();
				return array(
					'same'     => $stored === get_option( 'rewrite_rules' ),
					'htaccess' => file_exists( ABSPATH . '.htaccess' ),
					'wanted'   => $GLOBALS['wp_rewrite']->mod_rewrite_rules(),
					'got'      => apply_filters( 'got_url_rewrite', false ),
				);
			},
			'events'    => static function () {
				// Both requests have read the list; the other is the first to write it.
				if ( isset( $_GET['bare'] ) ) {
					remove_all_filters( 'pre_update_option_cron' );
				}
				global $wpdb;
				$list = get_option( 'cron' );
				$mine = (int) $_GET['at'];
				if ( isset( $_GET['other'] ) ) {
					$key   = md5( serialize( array() ) );
					$other = array( (int) $_GET['other'] => array( 'of_another' => array( $key => array( 'schedule' => false, 'args' => array() ) ) ) );
					$gone  = array_key_first( $list );
					unset( $list[ $gone ] );
					$wpdb->update( $wpdb->options, array( 'option_value' => serialize( $other + $list ) ), array( 'option_name' => 'cron' ) );
				}
				$done = wp_schedule_single_event( $mine, 'of_this_one', array( $mine ) );
				return array( $done, $gone ?? 0 );
			},
			'themes'    => static fn() => array_map( static fn( $theme ) => $theme->get_theme_root(), wp_get_themes() ),
			'loopback'  => static function () {
				$response = wp_remote_get( home_url( '/loop?x=1' ), array( 'timeout' => 60 ) );
				return is_wp_error( $response ) ? $response->get_error_message() : wp_remote_retrieve_body( $response );
			},
			'foreign'   => static fn() => is_wp_error( wp_remote_get( str_replace( 'bakery.', 'other-bakery.', home_url() ), array( 'timeout' => 2 ) ) ) ? 'error' : 'reached',
			'bound'     => static fn() => apply_filters( 'http_request_args', array( 'timeout' => 60.0, 'redirection' => 5 ), home_url( '/x' ) ),
			'constants' => static fn() => array_map( 'constant', array_combine( $names = array( 'WP_CONTENT_DIR', 'DISABLE_WP_CRON', 'FS_METHOD', 'WP_AUTO_UPDATE_CORE', 'WP_DEBUG', 'WP_ENVIRONMENT_TYPE' ), $names ) ),
			'secrets'   => static function () {
				$secret = json_decode( file_get_contents( $_SERVER['AIPRESS_SLOT_DIR'] . '/site.json' ), true )['redis']['password'];
				ob_start();
				print_r( array_diff_key( $GLOBALS, array( 'GLOBALS' => 1 ) ) );
				print_r( get_defined_constants( true )['user'] );
				print_r( AIPress\Site::current() );
				return str_contains( ob_get_clean(), $secret );
			},
			'own'       => static fn() => array( plugins_url( 'x.css', __FILE__ ), plugins_url( 'y.css', WP_PLUGIN_DIR . '/some/some.php' ) ),
			'core'      => static function () {
				$user = get_user_by( 'id', 1 );
				return array( user_can( $user, 'update_core' ), user_can( $user, 'update_plugins' ), get_site_transient( 'update_core' )->updates );
			},
			'confined'  => static function () {
				$read = static fn( $path ) => false !== @file_get_contents( $path );
				$site = AIPress\Site::current()->site_dir;
				@symlink( '/etc/passwd', "$site/wp-content/uploads/link" );
				$tried = array( $read( '/etc/hostname' ), $read( dirname( $site ) . '/neighbour/world-readable' ), $read( "$site/wp-content/uploads/link" ), $read( "$site-2/world-readable" ) );
				@unlink( "$site/wp-content/uploads/link" );
				ini_set( 'open_basedir', '/' );
				ini_set( 'open_basedir', '' );
				ini_restore( 'open_basedir' );
				return array( array_merge( $tried, array( $read( '/etc/hostname' ) ) ), $read( "$site/wp-content/mu-plugins/probe.php" ), $read( ABSPATH . 'index.php' ) );
			},
			'people'    => static function () {
				wp_set_password( 'right horse', 1 );
				wp_update_post( array( 'ID' => 1, 'ping_status' => 'open' ) );
				$editor = wp_insert_user( array( 'user_login' => 'eve', 'user_pass' => 'battery staple', 'user_email' => 'eve@bakery.example', 'role' => 'editor' ) );
				return array( $editor, WP_Application_Passwords::create_new_application_password( 1, array( 'name' => 'app' ) )[0] );
			},
			'html'      => static fn() => array( user_can( 1, 'unfiltered_html' ), user_can( get_user_by( 'login', 'eve' ), 'unfiltered_html' ) ),
			'files'     => static function () {
				file_put_contents( WP_CONTENT_DIR . '/uploads/plain.txt', 'x' );
				wp_mkdir_p( WP_CONTENT_DIR . '/uploads/a/b' );
				return array_map( static fn( $path ) => decoct( fileperms( WP_CONTENT_DIR . "/uploads/$path" ) & 07777 ), array( 'plain.txt', 'a/b' ) );
			},
		);
		wp_send_json( $answers[ $_GET['probe'] ]() );
	}
);

// What a page cost, in headers; output is buffered by then.
ob_start();
add_action(
	'shutdown',
	static function () {
		if ( ! headers_sent() ) {
			header( 'X-Probe-Queries: ' . get_num_queries() );
			header( 'X-Probe-Trips: ' . ( method_exists( $GLOBALS['wp_object_cache'], 'round_trips' ) ? $GLOBALS['wp_object_cache']->round_trips() : 0 ) );
			header( 'X-Probe-Ms: ' . round( ( microtime( true ) - $_SERVER['REQUEST_TIME_FLOAT'] ) * 1000, 1 ) );
			header( 'X-Probe-Files: ' . count( get_included_files() ) );
		}
	},
	0
);
