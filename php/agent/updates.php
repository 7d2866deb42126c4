<?php
/**
 * What is known of newer versions of plugins and themes.
 *
 * Role: reads what WordPress itself has stored of its last question to the directory.
 *
 * Invariants: `unknown` (nobody could be asked, or the directory does not know it) is never shown
 * as `none`.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

final class Updates {

	private function __construct(
		/** Name => version that is offered. */
		private array $offered,
		/** Names that the directory says are up to date. */
		private array $current,
		/** When the directory last answered, in Unix seconds; null when never. */
		public readonly ?int $checked_at
	) {
	}

	/** @param string $kind `plugins` or `themes`. */
	public static function of( string $kind ): self {
		$stored = get_site_transient( "update_$kind" );
		// Before it asks, WordPress stores when; only an answer brings `response`.
		if ( ! is_object( $stored ) || ! isset( $stored->response ) ) {
			return new self( array(), array(), null );
		}
		$offered = array();
		foreach ( (array) $stored->response as $name => $update ) {
			$offered[ $name ] = (string) ( ( (array) $update )['new_version'] ?? '' );
		}
		return new self( $offered, array_keys( (array) ( $stored->no_update ?? array() ) ), (int) ( $stored->last_checked ?? 0 ) );
	}

	/** @return array{version: string, update: string, update_version: string} */
	public function state( string $name, string $version ): array {
		$offered = $this->offered[ $name ] ?? '';
		$is_new  = '' !== $offered && version_compare( $offered, $version, '>' );
		$is_told = $is_new || isset( $this->offered[ $name ] ) || in_array( $name, $this->current, true );
		return array(
			'version'        => $version,
			'update'         => $is_new ? 'available' : ( $is_told ? 'none' : 'unknown' ),
			'update_version' => $is_new ? $offered : '',
		);
	}
}

function updates_of( string $kind ): Updates {
	return Updates::of( $kind );
}

/** Asks the directory now. */
function refresh_updates( string $kind ): void {
	require_once ABSPATH . 'wp-admin/includes/update.php';
	delete_site_transient( "update_$kind" );
	if ( 'plugins' === $kind ) {
		wp_update_plugins();
	} else {
		wp_update_themes();
	}
	if ( null === Updates::of( $kind )->checked_at ) {
		warning( "the directory of $kind can't be reached; what is newer is unknown." );
	}
}
