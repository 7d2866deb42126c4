-- Exports: an archive of a site in its shard's spool. `operation` is null for those that only feed
-- a clone. Rows outlive neither their spool (a day) nor their tenant's erasure for long.

CREATE TABLE exports (
    id          TEXT    NOT NULL PRIMARY KEY,
    tenant      TEXT    NOT NULL,
    tenant_name TEXT    NOT NULL,
    account     TEXT    NOT NULL,
    actor       TEXT    NOT NULL,
    shard       INTEGER NOT NULL,
    operation   TEXT,
    state       TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    finished_at INTEGER,
    expires_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX exports_tenant ON exports (tenant, state);
CREATE INDEX exports_state ON exports (state);
