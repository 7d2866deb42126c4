<?php
/**
 * The tenant that this request is for, as site.json of its slot describes it.
 *
 * Role: reads and checks the file; the only place that knows its format.
 *
 * Invariants:
 * - The uid in the file is the uid that the gateway routed to. They differ for a moment when a
 *   slot changes its tenant; such a request is refused, never served as the other tenant.
 * - Credentials stay in private properties of one object and come out through the two methods
 *   that need them. They are not in $GLOBALS, $_SERVER, var_dump() or a serialized form.
 * - Nothing is cached between requests: a rotated password counts from the next request on.
 *
 * @package AIPress
 */

namespace AIPress;

/** Raised when a request cannot be served for its tenant; the message is for the log only. */
final class SiteUnavailable extends \RuntimeException {
}

final class Site {

	/** The only version of site.json that this code reads. */
	private const VERSION = 1;

	/** WordPress's secret keys and salts, in the order of wp-config-sample.php. */
	public const SALT_NAMES = array(
		'AUTH_KEY',
		'SECURE_AUTH_KEY',
		'LOGGED_IN_KEY',
		'NONCE_KEY',
		'AUTH_SALT',
		'SECURE_AUTH_SALT',
		'LOGGED_IN_SALT',
		'NONCE_SALT',
	);

	private static ?Site $current = null;

	/**
	 * @param string                $uid       The tenant's uid.
	 * @param string                $home      Address of the site, without a trailing slash.
	 * @param string[]              $hosts     Hosts (with port where it is not the default) of the site.
	 * @param string                $site_dir  The tenant's own folder: wp-content, private.
	 * @param string                $tmp_dir   The slot's folder for temporary files.
	 * @param array<string, mixed>  $db        Socket, name, user, password.
	 * @param ?array<string, mixed> $redis     Socket, user, password, prefix; null without an object cache.
	 * @param array<string, string> $salts     By the names of SALT_NAMES.
	 * @param array<string, string> $env       Variables of the tenant.
	 * @param array<string, mixed>  $security  What its document says of hardening (mu-plugins/aipress/security.php).
	 */
	private function __construct(
		public readonly string $uid,
		public readonly string $home,
		public readonly array $hosts,
		public readonly string $site_dir,
		public readonly string $tmp_dir,
		private readonly array $db,
		private readonly ?array $redis,
		private readonly array $salts,
		public readonly array $env,
		public readonly array $security
	) {
	}

	/** The tenant of this request; load() has made it. */
	public static function current(): Site {
		if ( null === self::$current ) {
			throw new SiteUnavailable( 'no site is loaded' );
		}
		return self::$current;
	}

	/**
	 * Reads site.json and makes it the current site.
	 *
	 * @param string $slot_dir Folder of the slot, from AIPRESS_SLOT_DIR.
	 * @param string $uid      The uid that the gateway routed to, from AIPRESS_TENANT_UID.
	 * @throws SiteUnavailable When the slot is empty, is another tenant's, or the file is not whole.
	 */
	public static function load( string $slot_dir, string $uid ): Site {
		$json = @file_get_contents( $slot_dir . '/site.json' ); // The slot may just have been emptied.
		if ( false === $json ) {
			throw new SiteUnavailable( "the slot has no site.json: $slot_dir" );
		}
		$data = json_decode( $json, true );
		if ( ! is_array( $data ) || self::VERSION !== ( $data['version'] ?? null ) ) {
			throw new SiteUnavailable( "site.json is not of version 1: $slot_dir" );
		}
		if ( '' === $uid || ( $data['uid'] ?? null ) !== $uid ) {
			throw new SiteUnavailable( "the slot belongs to another tenant than the request: $slot_dir" );
		}
		try {
			self::$current = new self(
				$uid,
				rtrim( $data['home'], '/' ),
				$data['hosts'] ?? array(),
				$data['site_dir'],
				$data['tmp_dir'],
				self::strings( $data['db'], array( 'socket', 'name', 'user', 'password' ) ),
				isset( $data['redis'] ) ? self::strings( $data['redis'], array( 'socket', 'user', 'password', 'prefix' ) ) : null,
				self::strings( $data['salts'], self::SALT_NAMES ),
				$data['env'] ?? array(),
				$data['security'] ?? array()
			);
		} catch ( \TypeError $e ) {
			throw new SiteUnavailable( "site.json lacks a field: $slot_dir" );
		}
		return self::$current;
	}

	/** @return array{socket: string, name: string, user: string, password: string} */
	public function database(): array {
		return $this->db;
	}

	/** @return ?array{socket: string, user: string, password: string, prefix: string} */
	public function redis(): ?array {
		return $this->redis;
	}

	/** @return array<string, string> */
	public function salts(): array {
		return $this->salts;
	}

	/** Whether a host, as in HTTP's Host field, is one of this site. */
	public function owns_host( string $host ): bool {
		$home = preg_replace( '~^[a-z]+://~i', '', $this->home );
		return in_array( strtolower( $host ), array_map( 'strtolower', array( $home, ...$this->hosts ) ), true );
	}

	/** What var_dump() and print_r() show. */
	public function __debugInfo(): array {
		return array(
			'uid'  => $this->uid,
			'home' => $this->home,
		);
	}

	/** A site with credentials does not belong into a cache or a session. */
	public function __serialize(): array {
		throw new \LogicException( 'a site is not to be serialized' );
	}

	/**
	 * The named fields of $data, all of them non-empty strings.
	 *
	 * @param array<string, mixed> $data  Fields as read.
	 * @param string[]             $names What has to be there.
	 * @return array<string, string>
	 */
	private static function strings( array $data, array $names ): array {
		$strings = array();
		foreach ( $names as $name ) {
			if ( ! is_string( $data[ $name ] ?? null ) || '' === $data[ $name ] ) {
				throw new \TypeError( $name );
			}
			$strings[ $name ] = $data[ $name ];
		}
		return $strings;
	}
}
