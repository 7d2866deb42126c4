<?php
/**
 * Who may write HTML that is not filtered: administrators, or nobody.
 *
 * Role: WordPress lets editors, too, whose account then is as good as an administrator's. Done by
 * the capability: the constant DISALLOW_UNFILTERED_HTML would take it from administrators as well.
 *
 * @package AIPress
 */

namespace AIPress\Security\Html;

use function AIPress\Security\setting;

/** What `unfiltered_html` takes, beside what WordPress asks for. */
function needed( array $capabilities, string $capability ): array {
	if ( 'unfiltered_html' !== $capability ) {
		return $capabilities;
	}
	return 'nobody' === setting( 'unfilteredHtml' ) ? array( 'do_not_allow' ) : array( ...$capabilities, 'manage_options' );
}
add_filter( 'map_meta_cap', __NAMESPACE__ . '\needed', 10, 2 );
