-- What each site has, as its shard last saw it: one row, replaced. Observed, so nothing is decided by
-- it; lost, it comes again within a day.
CREATE TABLE tenant_inventories (
    uid         TEXT NOT NULL PRIMARY KEY REFERENCES tenants (uid),
    observed_at INTEGER NOT NULL,
    document    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
