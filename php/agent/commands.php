<?php
/**
 * Which commands there are: name and what follows it, in wp-cli's notation, and where it is.
 *
 * Invariants: an option that a synopsis does not name is refused.
 *
 * @package AIPress
 */

namespace AIPress\Agent;

final class Command {

	private const LIST = '[--field=<field>] [--fields=<fields>] [--format=<format>]';

	/** Name => file of this folder, function in it, synopsis, one sentence. */
	private const ALL = array(
		'aipress inventory'   => array( 'inventory', 'inventory', '', 'One JSON document of what the site has.' ),
		'cache flush'         => array( 'cache', 'cache_flush', '', 'Empties the object cache.' ),
		'core is-installed'   => array( 'core', 'core_is_installed', '', 'Ends with 0 when WordPress is installed.' ),
		'core update-db'      => array( 'core', 'core_update_db', '[--dry-run]', 'Brings the database to the version of the core.' ),
		'core version'        => array( 'core', 'core_version', '[--extra]', 'The version of WordPress.' ),
		'cron event list'     => array( 'cron', 'cron_event_list', self::LIST, 'Scheduled events.' ),
		'cron event run'      => array( 'cron', 'cron_event_run', '[<hook>...] [--due-now] [--all]', 'Runs scheduled events now.' ),
		'db size'             => array( 'database', 'db_size', '[--tables] [--human-readable] [--format=<format>]', 'Size of the database.' ),
		'help'                => array( null, 'help', '[<command>...]', 'What there is.' ),
		'option add'          => array( 'options', 'option_add', '<key> [<value>] [--format=<format>] [--autoload=<autoload>]', 'Adds an option.' ),
		'option delete'       => array( 'options', 'option_delete', '<key>...', 'Deletes options.' ),
		'option get'          => array( 'options', 'option_get', '<key> [--format=<format>]', 'The value of an option.' ),
		'option list'         => array( 'options', 'option_list', '[--search=<pattern>] [--autoload=<autoload>] [--transients] ' . self::LIST, 'Options.' ),
		'option update'       => array( 'options', 'option_update', '<key> [<value>] [--format=<format>] [--autoload=<autoload>]', 'Changes an option; without a value it is read from standard input.' ),
		'plugin activate'     => array( 'plugins', 'plugin_activate', '[<plugin>...] [--all]', 'Activates plugins.' ),
		'plugin deactivate'   => array( 'plugins', 'plugin_deactivate', '[<plugin>...] [--all] [--uninstall]', 'Deactivates plugins.' ),
		'plugin delete'       => array( 'plugins', 'plugin_delete', '<plugin>...', 'Deletes plugins without uninstalling them.' ),
		'plugin get'          => array( 'plugins', 'plugin_get', '<plugin> ' . self::LIST, 'One plugin.' ),
		'plugin is-installed' => array( 'plugins', 'plugin_is_installed', '<plugin>', 'Ends with 0 when the plugin is there.' ),
		'plugin is-active'    => array( 'plugins', 'plugin_is_active', '<plugin>', 'Ends with 0 when the plugin is active.' ),
		'plugin list'         => array( 'plugins', 'plugin_list', '[--status=<status>] [--update=<update>] [--name=<name>] ' . self::LIST, 'Plugins.' ),
		'plugin status'       => array( 'plugins', 'plugin_status', '[<plugin>]', 'Plugins at a glance.' ),
		'plugin uninstall'    => array( 'plugins', 'plugin_uninstall', '<plugin>... [--deactivate]', 'Runs the uninstaller of plugins and deletes them.' ),
		'plugin update-check' => array( 'plugins', 'plugin_update_check', self::LIST, 'Asks the directory of plugins for newer versions, and lists plugins.' ),
		'post create'         => array( 'posts', 'post_create', '[--<field>=<value>] [--porcelain]', 'Makes a post; --post_content=- reads standard input.' ),
		'post delete'         => array( 'posts', 'post_delete', '<id>... [--force]', 'Moves posts to the trash, or deletes them.' ),
		'post get'            => array( 'posts', 'post_get', '<id> ' . self::LIST, 'One post.' ),
		'post list'           => array( 'posts', 'post_list', '[--<field>=<value>]', 'Posts.' ),
		'rewrite flush'       => array( 'cache', 'rewrite_flush', '[--hard]', 'Makes the rules of permalinks anew.' ),
		'role list'           => array( 'users', 'role_list', self::LIST, 'Roles.' ),
		'search-replace'      => array( 'replace', 'search_replace', '<old> <new> [<table>...] [--dry-run] [--all-tables] [--all-tables-with-prefix] [--precise] [--skip-columns=<columns>] [--include-columns=<columns>] [--skip-tables=<tables>] [--report] [--report-changed-only] [--format=<format>]', 'Replaces text in the database; serialized data stays valid.' ),
		'theme activate'      => array( 'themes', 'theme_activate', '<theme>', 'Activates a theme.' ),
		'theme delete'        => array( 'themes', 'theme_delete', '<theme>... [--force]', 'Deletes themes.' ),
		'theme get'           => array( 'themes', 'theme_get', '<theme> ' . self::LIST, 'One theme.' ),
		'theme is-installed'  => array( 'themes', 'theme_is_installed', '<theme>', 'Ends with 0 when the theme is there.' ),
		'theme list'          => array( 'themes', 'theme_list', '[--status=<status>] [--update=<update>] ' . self::LIST, 'Themes.' ),
		'transient delete'    => array( 'cache', 'transient_delete', '[<key>] [--network] [--all] [--expired]', 'Deletes transients.' ),
		'transient get'       => array( 'cache', 'transient_get', '<key> [--network] [--format=<format>]', 'The value of a transient.' ),
		'user create'         => array( 'users', 'user_create', '<login> <email> [--role=<role>] [--user_pass=<password>] [--display_name=<name>] [--first_name=<name>] [--last_name=<name>] [--send-email] [--porcelain]', 'Makes a user; --prompt=user_pass reads the password from standard input.' ),
		'user delete'         => array( 'users', 'user_delete', '<user>... [--reassign=<id>] [--yes]', 'Deletes users.' ),
		'user get'            => array( 'users', 'user_get', '<user> ' . self::LIST, 'One user by id, login or e-mail address.' ),
		'user list'           => array( 'users', 'user_list', '[--role=<role>] [--search=<text>] [--orderby=<field>] [--order=<order>] [--number=<number>] [--offset=<number>] ' . self::LIST, 'Users.' ),
		'user set-role'       => array( 'users', 'user_set_role', '<user> [<role>]', 'Gives a user a role instead of those that it has.' ),
		'user update'         => array( 'users', 'user_update', '<user>... [--<field>=<value>] [--skip-email]', 'Changes users.' ),
	);

	private function __construct(
		private string $name,
		private ?string $file,
		private string $function,
		private string $synopsis,
		public readonly bool $needs_wordpress
	) {
	}

	/**
	 * The command that the words begin with, and the words after it.
	 *
	 * @param string[] $words As typed.
	 * @return array{0: Command, 1: string[]}
	 */
	public static function find( array $words ): array {
		$words = $words ? $words : array( 'help' );
		for ( $length = min( 3, count( $words ) ); $length > 0; --$length ) {
			$name = implode( ' ', array_slice( $words, 0, $length ) );
			if ( isset( self::ALL[ $name ] ) ) {
				list( $file, $function, $synopsis ) = self::ALL[ $name ];
				return array( new self( $name, $file, $function, $synopsis, null !== $file ), array_slice( $words, $length ) );
			}
		}
		$asked = implode( ' ', array_slice( $words, 0, 2 ) );
		$near  = array_filter( array_keys( self::ALL ), static fn( $name ) => str_starts_with( $name, $words[0] . ' ' ) );
		$there = $near ? 'there are ' . implode( ', ', $near ) : 'there are ' . implode( ', ', array_keys( self::ALL ) );
		throw new Failure(
			"`$asked` is none of the platform's own commands; $there.\n"
			. "Installing and updating plugins and themes is `aipress tenant plugin` and `aipress tenant theme`.\n"
			. 'All others come with wp-cli: set `wpCli` in config.json to its archive (docs/wp.md).'
		);
	}

	/** The function that runs it. */
	public function load(): callable {
		if ( null === $this->file ) {
			return static fn( Call $call ): int => self::help( $call );
		}
		require_once __DIR__ . "/{$this->file}.php";
		return __NAMESPACE__ . '\\' . $this->function;
	}

	public function name(): string {
		return $this->name;
	}

	public function usage(): string {
		return trim( "{$this->name} {$this->synopsis}" );
	}

	/** @return string[] */
	public function options(): array {
		preg_match_all( '/--([a-z][a-z_-]*)/', $this->synopsis, $found );
		return $found[1];
	}

	public function takes_any_option(): bool {
		return str_contains( $this->synopsis, '--<field>' );
	}

	public function least_words(): int {
		return (int) preg_match_all( '/(?:^|\s)<[a-z]+>/', $this->synopsis );
	}

	private static function help( Call $call ): int {
		$asked = implode( ' ', $call->words );
		$found = array_filter( self::ALL, static fn( $name ) => '' === $asked || $name === $asked || str_starts_with( $name, "$asked " ), ARRAY_FILTER_USE_KEY );
		if ( ! $found ) {
			self::find( $call->words );
		}
		foreach ( $found as $name => list( , , $synopsis, $says ) ) {
			line( trim( "wp $name $synopsis" ) );
			line( "    $says" );
		}
		line( 'Every command: --skip-plugins, --skip-themes (all, or =a,b), --user=<user>.' );
		return 0;
	}
}
