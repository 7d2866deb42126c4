-- What people call tenants and how they group them; lists that stay fast with 50,000 rows; plans
-- that are over.

ALTER TABLE tenants ADD COLUMN display_name TEXT;
ALTER TABLE tenants ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';

-- Repeats `tenants.labels`, for filters.
CREATE TABLE tenant_labels (
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,
    tenant TEXT NOT NULL REFERENCES tenants (uid),
    PRIMARY KEY (name, value, tenant)
) STRICT, WITHOUT ROWID;

CREATE INDEX tenant_labels_tenant ON tenant_labels (tenant);

-- Each order of a list has an index that holds all that filters look at: a filter that few tenants
-- fit is answered from 50,000 short entries, not from 50,000 rows of kilobytes.
DROP INDEX tenants_name;
DROP INDEX tenants_created;
DROP INDEX tenants_updated;
DROP INDEX tenants_account;
CREATE INDEX tenants_name ON tenants (name, uid, state, tier, shard, account);
CREATE INDEX tenants_created ON tenants (created_at, uid, state, tier, shard, account, name);
CREATE INDEX tenants_updated ON tenants (updated_at, uid, state, tier, shard, account, name);
CREATE INDEX tenants_account ON tenants (account, name, uid, state, tier, shard);

CREATE INDEX plans_expires ON plans (expires_at);
