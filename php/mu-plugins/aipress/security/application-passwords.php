<?php
/**
 * Where application passwords work: over TLS and from this machine, nowhere, or everywhere.
 *
 * Role: such a password is sent along with every request, and does not end with a session.
 *
 * @package AIPress
 */

namespace AIPress\Security\ApplicationPasswords;

use function AIPress\Security\is_private_way;
use function AIPress\Security\setting;

add_filter(
	'wp_is_application_passwords_available',
	static fn() => match ( setting( 'applicationPasswords' ) ) {
		'never'  => false,
		'always' => true,
		default  => is_private_way(),
	}
);
