<?php
/**
 * The hostile code of `make bench-noise`: takes all it can get of one thing, for eight seconds.
 * Lies in the culprit's mu-plugins; whoever asks says of what.
 */

if ( isset( $_GET['noise'] ) ) {
	set_time_limit( 0 );
	ignore_user_abort( true );
	mysqli_report( MYSQLI_REPORT_OFF );
	$until = microtime( true ) + 8;
	$own   = json_decode( file_get_contents( $_SERVER['AIPRESS_SLOT_DIR'] . '/site.json' ), true );
	$mb    = str_repeat( 'x', 1 << 20 );
	switch ( $_GET['noise'] ) {
		case 'loop':
			while ( microtime( true ) < $until ) {
				for ( $i = 0; $i < 100000; $i++ ) {
					sha1( 'x' );
				}
			}
			break;
		case 'memory':
			ini_set( 'memory_limit', '-1' );
			for ( $all = array(); microtime( true ) < $until; ) {
				$all[] = str_repeat( 'x', 16 << 20 );
			}
			break;
		case 'disk':
			$dir = WP_CONTENT_DIR . '/uploads/noise';
			is_dir( $dir ) || mkdir( $dir, 0750, true );
			for ( $i = 0; microtime( true ) < $until; $i++ ) {
				if ( 1 << 20 !== @file_put_contents( $dir . '/' . getmypid() . '-' . $i, $mb ) ) {
					// It is full: once more from the beginning.
					array_map( 'unlink', glob( $dir . '/*' ) );
					usleep( 100000 );
				}
			}
			break;
		case 'redis':
			$redis = new Redis();
			$redis->connect( $own['redis']['socket'] );
			$redis->auth( array( $own['redis']['user'], $own['redis']['password'] ) );
			while ( microtime( true ) < $until ) {
				try {
					$done = $redis->rawCommand( 'SET', $own['redis']['prefix'] . 'f' . mt_rand( 0, 999 ), $mb );
				} catch ( RedisException $e ) {
					$done = false;
				}
				$done || usleep( 100000 );
			}
			break;
		case 'query':
			$queries = array(
				"SELECT BENCHMARK(1000000000, SHA1('x'))",
				'SELECT a.option_value, COUNT(*) FROM wp_options a, wp_options b, wp_options c GROUP BY SHA1(CONCAT(a.option_value, b.option_value, c.option_id))',
			);
			$links = array();
			for ( $i = 0; $i < 10; $i++ ) {
				$link = mysqli_connect( 'localhost', $own['db']['user'], $own['db']['password'], $own['db']['name'], 0, $own['db']['socket'] );
				if ( $link && $link->query( $queries[ $i % 2 ], MYSQLI_ASYNC ) ) {
					$links[] = $link;
				}
			}
			while ( $links && microtime( true ) < $until ) {
				$read   = $links;
				$errors = $links;
				$reject = array();
				if ( mysqli_poll( $read, $errors, $reject, 1 ) ) {
					foreach ( $read as $i => $link ) {
						$result = $link->reap_async_query();
						is_object( $result ) && $result->free();
						$link->query( $queries[ $i % 2 ], MYSQLI_ASYNC );
					}
				}
			}
			break;
	}
	echo 'noise made';
	exit;
}
