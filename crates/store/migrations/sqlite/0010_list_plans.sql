-- Lists that find their rows by name or account and sort them otherwise do so from the index alone;
-- and those that are behind their intent, looked for every few seconds, have an index of their own.

DROP INDEX tenants_name;
DROP INDEX tenants_account;
CREATE INDEX tenants_name ON tenants (name, uid, state, tier, shard, account, created_at, updated_at);
CREATE INDEX tenants_account ON tenants (account, name, uid, state, tier, shard, created_at, updated_at);
CREATE INDEX tenants_behind ON tenants (updated_at, uid)
    WHERE shard IS NOT NULL AND (
        observed_generation < generation
        OR coalesce(observed_phase, 'converging') = 'converging'
    );
