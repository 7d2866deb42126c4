# The examples of every `--help`, typed in an order in which each can be done. Each stands here word for
# word: as a line that runs, or behind `#: WHY:` where it can't be typed at a platform of a test. WHY is
#   platform  it starts, ends or removes a platform: other tests do that
#   internet  it fetches from the directory or the releases of WordPress.org
#   person    it asks a person at a terminal: `command_line` does it at one
#   machine   it writes into folders of the machine
# `help_examples.rs` compares both lists.

operation= webhook= delivery= plan= mail=

# What stands for an id in an example is replaced by one that there is.
aipress() {
  local word words=()
  for word in "$@"; do
    case $word in
      0198c2f4-6a1e-7c3b-9d5f-2e8a4b6c1d03) word=$operation ;;
      0f8fad5b-d9cb-469f-a165-70867728950e) word=$webhook ;;
      DELIVERY) word=$delivery ;;
      3f2c6a1e) word=$plan ;;
      019d1c2f3a4b5-k3Jx9Q) word=$mail ;;
    esac
    words+=("$word")
  done
  command aipress "${words[@]}"
}

# Types what goes on until it is stopped, and stops it as Ctrl-C does.
until_stopped() {
  local code=0
  timeout --kill-after=20 --signal=INT 2 bash -c "$(cat)" || code=$?
  [ "$code" = 124 ] || [ "$code" = 130 ]
}

# Types what may be answered otherwise in a moment: while something is being made in advance, or until
# the platform has looked at a site again.
until_done() {
  local line _
  line=$(cat)
  for _ in {1..90}; do
    if eval "$line"; then return; fi
    sleep 1
  done
  return 1
}

# An archive of a plugin (`package plugin NAME VERSION FILE`) or a theme.
package() {
  python3 - "$@" <<'PY'
import sys, zipfile
kind, name, version, file = sys.argv[1:]
with zipfile.ZipFile(file, 'w') as archive:
    if kind == 'plugin':
        archive.writestr(f'{name}/{name}.php', f'<?php\n/* Plugin Name: {name}\n * Version: {version}\n */\n')
    else:
        archive.writestr(f'{name}/style.css', f'/*\nTheme Name: {name}\nVersion: {version}\n*/\n')
        archive.writestr(f'{name}/index.php', '<!doctype html><title><?php bloginfo("name"); ?></title><?php wp_head(); ?><h1>Bread</h1><?php wp_footer(); ?></html>')
PY
}

# --- platform ---
#: platform: aipress up
#: platform: aipress up --detach --listen 127.0.0.1:8081
#: platform: aipress up --detach --shards 4 --wordpress 6.8
#: platform: aipress down
#: platform: aipress down && aipress clean-data
#: platform: aipress --data /tmp/try clean-data --yes
aipress status
aipress status -o json | jq ".units[].name"
aipress doctor
until_done <<'SH'
aipress doctor --inventory
SH
aipress settings list
aipress settings list -o json
aipress settings get shards
aipress settings explain bufferPoolMib
aipress settings set bufferPoolMib 128
aipress settings set webhooks.allowPrivate true
aipress settings unset bufferPoolMib
aipress settings unset webhooks.allowPrivate
aipress core list
aipress core list -o json
#: internet: aipress core fetch
#: internet: aipress core fetch 6.8
#: internet: aipress core fetch 6.1.9
aipress shard list
aipress shard show aipress-shard-001
aipress shard cordon aipress-shard-001
aipress shard uncordon aipress-shard-001
aipress project list
aipress project list -o json
aipress route bakery --shards 1000
aipress schema > tenant.json
jq -e .title tenant.json

# --- shell ---
source <(aipress completion bash)
zsh -f <<'ZSH'
autoload -U compinit && compinit -D
source <(aipress completion zsh)
ZSH
fish --no-config <<'FISH'
aipress completion fish | source
FISH
#: machine: aipress completion bash > /etc/bash_completion.d/aipress
#: machine: aipress man --dir /usr/local/share/man/man1
aipress man tenant create | man -l -

# --- settings of a person ---
aipress config path
aipress config view
aipress config view -o json
aipress config set output yaml
aipress config set output wide
aipress config set color never
aipress config unset output
echo aip_token > t
mkdir -p ~/.config/aipress
cp t ~/.config/aipress/prod.token
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /dev/null \
  -subj /CN=console.example.org -out ca.pem 2> openssl.log
aipress context add prod --server https://console.example.org --token-file t
aipress context list
aipress context use prod
aipress config get currentContext
aipress config get contexts.prod.server
aipress config set contexts.prod.tokenFile ~/.config/aipress/prod.token
aipress context show --context prod
aipress context use local
aipress context show
aipress context remove prod
aipress context add prod --server https://10.0.0.5 --ca-file ca.pem --use
aipress context use local
aipress context add ci --server https://c.example.org --token-stdin < t
aipress context remove prod
aipress context remove ci

# --- sites ---
gone() { aipress tenant delete "$1" --yes && aipress tenant erase "$1" --yes; }
aipress tenant create bakery --wordpress 6.1
aipress tenant update bakery --set wordpress.version=6.8
gone bakery
aipress tenant create bakery --title "Crumbs Bakery" --tier silver
aipress tenant delete bakery --yes --no-wait
aipress operation watch "$(aipress operation list --tenant bakery -o json | jq -r '.[0].id')"
aipress tenant erase bakery --yes
aipress tenant create bakery
gone bakery
aipress tenant create bakery --title "Crumbs Bakery"
operation=$(aipress operation list --tenant bakery -o json | jq -r '.[0].id')
#: person: aipress tenant delete bakery
#: person: aipress tenant erase bakery
aipress tenant list
aipress tenant list --state active
aipress tenant list --state active,failed --tier gold
aipress tenant list --label team=shops
aipress tenant list --name shop- --sort -createdAt --limit 20
aipress tenant list --columns name,url
aipress tenant list -o name
aipress tenant show bakery
aipress tenant show bakery -o yaml
aipress tenant show bakery -o yaml > bakery.yaml
aipress route bakery
aipress tenant login bakery
aipress tenant wp bakery -- user create anna anna@example.org --role=editor
aipress tenant login bakery --user anna
aipress tenant open bakery
aipress tenant rotate-secrets bakery
aipress tenant rotate-secrets bakery --only database,cache
aipress tenant rotate-secrets bakery --dry-run
#: person: aipress tenant suspend bakery
aipress tenant suspend bakery --yes
aipress tenant resume bakery
aipress tenant update bakery --tier gold
aipress tenant delete bakery --yes
aipress tenant undelete bakery
aipress tenant inventory bakery --refresh
aipress tenant inventory bakery
aipress tenant inventory bakery -o json | jq '.site.plugins'
aipress tenant create shop --wordpress 6.8 --admin-email me@example.org
gone shop
aipress tenant create shop --no-wait -o json | jq -r .id

# --- wp, cron, mail and logs ---
echo 'Bread since 1898' > motto.txt
aipress tenant wp bakery -- plugin list
aipress tenant wp bakery -- search-replace old.test new.test --dry-run
aipress tenant wp bakery --stdin -- option update blogdescription < motto.txt
aipress tenant cron bakery
aipress tenant cron bakery -o json | jq '.wakes[0].count'
aipress tenant wp bakery -- user create mailed mailed@example.org --send-email
aipress tenant mail list bakery
aipress tenant mail list bakery -o json | jq '.items[0].recipients'
mail=$(aipress tenant mail list bakery -o json | jq -r '.items[0].id')
aipress tenant mail show bakery 019d1c2f3a4b5-k3Jx9Q
aipress tenant mail retry bakery 019d1c2f3a4b5-k3Jx9Q
aipress tenant mail retry bakery --all
aipress tenant mail retry bakery --all --dry-run
aipress tenant mail delete bakery 019d1c2f3a4b5-k3Jx9Q
aipress tenant mail delete bakery --all --yes

aipress tenant logs bakery
aipress tenant logs bakery --level error --since 2h
aipress tenant logs bakery --source access --contains /wp-login.php -o json
aipress tenant logs bakery --contains 8c1f04ab6f3c4d0a9a3f5b7e2d1c6f80
until_stopped <<'SH'
aipress tenant logs bakery --follow
SH

# --- plugins and themes ---
package plugin akismet 5.2 akismet-5.2.zip
package plugin akismet 5.3 akismet-5.3.zip
package plugin broken 1.0 broken.zip
package plugin my-plugin 1.0 my-plugin.zip
package plugin my-plugin 2.0 my-plugin-2.zip
package theme my-theme 1.0 my-theme.zip
package theme twentyten 4.2 twentyten.zip
package theme twentytwentyfive 9.9 twentytwentyfive.zip
for file in akismet-5.2.zip akismet-5.3.zip twentyten.zip twentytwentyfive.zip; do
  aipress package add "$file"
done
aipress package add ./my-plugin.zip
aipress package list
aipress package list --kind theme
aipress package show akismet@5.3
#: internet: aipress package fetch akismet
#: internet: aipress package fetch twentyten --theme --version 4.2
aipress tenant plugin install bakery akismet --dry-run
aipress tenant plugin install bakery akismet
aipress tenant plugin list bakery
aipress tenant plugin list bakery -o json | jq '.[].updateVersion'
aipress tenant plugin update bakery akismet --version 5.2
aipress tenant plugin update bakery akismet
aipress tenant plugin deactivate bakery akismet
aipress tenant plugin activate bakery akismet
aipress tenant plugin remove bakery akismet
aipress tenant plugin install bakery akismet --version 5.3 --inactive
aipress tenant plugin remove bakery akismet
aipress tenant plugin install bakery --file ./my-plugin.zip
aipress tenant plugin update bakery my-plugin --file ./my-plugin-2.zip
aipress tenant plugin install bakery --file broken.zip
aipress tenant wp bakery -- plugin deactivate broken --skip-plugins
aipress tenant theme install bakery twentytwentyfive
aipress tenant theme list bakery
aipress tenant theme install bakery twentyten --activate
aipress tenant theme install bakery --file ./my-theme.zip
aipress tenant theme activate bakery twentyten
aipress tenant theme update bakery twentyten
aipress tenant theme activate bakery twentytwentyfive
until_done <<'SH'
aipress tenant theme remove bakery twentyten
SH
aipress package delete akismet@5.3

# --- archives ---
aipress tenant show bakery -o yaml > bakery.yaml
aipress tenant export bakery > bakery.aip
rm bakery.aip
aipress tenant export bakery --file bakery.aip
echo 'a long secret of the bakery' > secret.txt
aipress tenant export bakery --passphrase-file secret.txt > bakery.aip.age
cp bakery.aip.age b.aip.age
aipress tenant import bakery.aip --name bakery-2 --check
aipress tenant import bakery.aip --name bakery-2
gone bakery-2
aipress tenant import - --name bakery-2 < bakery.aip
gone bakery-2
aipress tenant import b.aip.age --name bakery-2 --passphrase-file secret.txt
gone bakery-2
aipress tenant clone bakery bakery-2
# As another host would give it.
uid=$(aipress tenant show bakery -o json | jq -r .uid)
shard=$AIPRESS_DATA/shards/$(aipress tenant show bakery -o json | jq -r .shard)
database=$(grep -l "\"uid\":\"$uid\"" "$shard"/slots/*/site.json | xargs jq .db)
printf '[client]\nsocket=%s\nuser=%s\npassword=%s\n' $(jq -r '.socket, .user, .password' <<< "$database") > client.cnf
mariadb-dump --defaults-file=client.cnf "$(jq -r .name <<< "$database")" | gzip > dump.sql.gz
mkdir public_html
cp -r "$shard/sites/$uid/wp-content" public_html/
echo "<?php \$table_prefix = 'wp_';" > public_html/wp-config.php
gone shop
aipress tenant import --name shop --from-sql dump.sql.gz --files public_html

# --- documents and plans ---
mkdir sites
sed -e 's/^  name: .*/  name: sites-bakery\n  labels: {team: shops}/' -e '/^status:/,$d' bakery.yaml > sites/one.yaml
aipress diff -f bakery.yaml
aipress apply -f bakery.yaml
aipress tenant show bakery -o yaml | aipress apply -f -
aipress apply -f sites/ --recursive --dry-run
aipress apply -f sites/ --prune --selector team=shops
plan=$(aipress tenant suspend bakery --dry-run -o json | jq -r .hash)
aipress plan show 3f2c6a1e
aipress plan apply 3f2c6a1e
aipress tenant resume bakery

# --- operations, events, webhooks ---
aipress operation list
aipress operation list --tenant bakery
aipress operation list --tenant bakery --state failed
aipress operation list --limit 500 -o json
aipress operation show 0198c2f4-6a1e-7c3b-9d5f-2e8a4b6c1d03
aipress operation watch 0198c2f4-6a1e-7c3b-9d5f-2e8a4b6c1d03
aipress operation watch 0198c2f4-6a1e-7c3b-9d5f-2e8a4b6c1d03 --timeout 60
aipress events
aipress events --since oldest
until_stopped <<'SH'
aipress events --follow --tenant bakery
SH
until_stopped <<'SH'
aipress events --follow --kind "tenant.*" -o json | jq .data
SH
aipress audit list
aipress audit list --tenant bakery
aipress audit list --tenant bakery --action tenant.suspend
aipress audit list --since 2026-11-01T00:00:00Z --limit 500 -o json
aipress audit list --text unpaid
aipress audit export > audit.jsonl
aipress audit export --format csv --since 2026-11-01T00:00:00Z > november.csv
aipress audit verify
aipress audit verify --account platform
aipress audit key > audit.pem
cp "$AIPRESS_DATA"/audit/checkpoints.jsonl copy.jsonl 2> /dev/null || touch copy.jsonl
aipress audit verify --checkpoints copy.jsonl --public-key audit.pem
aipress webhook create https://example.org/hook
aipress webhook create https://example.org/hook --kind "tenant.*"
aipress webhook create https://example.org/hook --tenant bakery
aipress webhook create https://example.org/hook --kind operation.failed
aipress webhook list
webhook=$(aipress webhook list -o json | jq -r '.[0].id')
aipress webhook show 0f8fad5b-d9cb-469f-a165-70867728950e
aipress webhook update 0f8fad5b-d9cb-469f-a165-70867728950e --kind ""
aipress webhook update 0f8fad5b-d9cb-469f-a165-70867728950e --resume
aipress webhook test 0f8fad5b-d9cb-469f-a165-70867728950e
aipress webhook deliveries 0f8fad5b-d9cb-469f-a165-70867728950e
aipress webhook deliveries 0f8fad5b-d9cb-469f-a165-70867728950e --state failed
delivery=$(aipress webhook deliveries "$webhook" -o json | jq -r '.[0].id')
aipress webhook replay 0f8fad5b-d9cb-469f-a165-70867728950e DELIVERY
aipress webhook rotate-secret 0f8fad5b-d9cb-469f-a165-70867728950e
aipress webhook delete 0f8fad5b-d9cb-469f-a165-70867728950e
for webhook in $(aipress webhook list -o json | jq -r '.[].id'); do aipress webhook delete "$webhook"; done
