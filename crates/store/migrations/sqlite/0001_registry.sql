-- The registry, first schema.
--
-- Times are microseconds since 1970, UTC. UUIDs are lower-case hyphenated text. Shards are their
-- 1-based number, so that they sort as numbers. JSON is text, written and read whole. Words
-- (states, kinds) are checked when read, not here, so that a new word needs no migration.

CREATE TABLE settings (
    key        TEXT    NOT NULL PRIMARY KEY,
    value      TEXT    NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- Numbers that count changes in the order of commits. `floor` is the last number whose tombstones
-- were forgotten.
CREATE TABLE sequences (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL,
    floor INTEGER NOT NULL
) STRICT;

INSERT INTO sequences (name, value, floor) VALUES ('claims', 0, 0), ('events', 0, 0), ('routes', 0, 0);

CREATE TABLE accounts (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id          TEXT    NOT NULL PRIMARY KEY,
    account     TEXT    NOT NULL REFERENCES accounts (id),
    login       TEXT    NOT NULL UNIQUE,
    role        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    disabled_at INTEGER
) STRICT;

CREATE INDEX users_account ON users (account);

CREATE TABLE tokens (
    id            TEXT    NOT NULL PRIMARY KEY,
    "user"        TEXT    NOT NULL REFERENCES users (id),
    label         TEXT    NOT NULL,
    prefix        TEXT    NOT NULL,
    secret_sha256 BLOB    NOT NULL UNIQUE CHECK (length(secret_sha256) = 32),
    scope         TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER,
    last_used_at  INTEGER,
    revoked_at    INTEGER
) STRICT;

CREATE INDEX tokens_user ON tokens ("user");

CREATE TABLE projects (
    id         TEXT    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,
    region     TEXT,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE shards (
    number         INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    project        TEXT    NOT NULL REFERENCES projects (id),
    region         TEXT    NOT NULL,
    address        TEXT    NOT NULL,
    gateway        TEXT    NOT NULL,
    slots          INTEGER NOT NULL,
    protocol       INTEGER NOT NULL,
    health         TEXT    NOT NULL,
    schedulability TEXT    NOT NULL,
    message        TEXT,
    details        TEXT    NOT NULL,
    reported_at    INTEGER,
    registered_at  INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;

-- `tier` repeats what is in `spec`, for filters. `revision` counts writes of the row (the etag).
-- `observed_phase` repeats what is in `observed`.
CREATE TABLE tenants (
    uid                 TEXT    NOT NULL PRIMARY KEY,
    name                TEXT    NOT NULL,
    account             TEXT    NOT NULL REFERENCES accounts (id),
    spec                TEXT    NOT NULL,
    tier                TEXT    NOT NULL,
    desired             TEXT    NOT NULL,
    state               TEXT    NOT NULL,
    generation          INTEGER NOT NULL,
    placement_epoch     INTEGER NOT NULL,
    shard               INTEGER REFERENCES shards (number),
    revision            INTEGER NOT NULL,
    observed            TEXT,
    observed_generation INTEGER NOT NULL,
    observed_phase      TEXT,
    slot                INTEGER,
    sealed_secrets      BLOB    NOT NULL,
    message             TEXT,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    deleted_at          INTEGER,
    erased_at           INTEGER
) STRICT;

-- A name is unique among tenants that are not erased: a deleted one keeps it.
CREATE UNIQUE INDEX tenants_name_live ON tenants (name) WHERE state <> 'erased';
CREATE INDEX tenants_name ON tenants (name, uid);
CREATE INDEX tenants_created ON tenants (created_at, uid);
CREATE INDEX tenants_updated ON tenants (updated_at, uid);
CREATE INDEX tenants_account ON tenants (account, name, uid);
CREATE INDEX tenants_shard ON tenants (shard, state, desired);
CREATE INDEX tenants_deleted ON tenants (deleted_at) WHERE state = 'deleted';

CREATE TABLE routes (
    host       TEXT    NOT NULL PRIMARY KEY,
    tenant     TEXT    NOT NULL REFERENCES tenants (uid),
    shard      INTEGER NOT NULL REFERENCES shards (number),
    state      TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    seq        INTEGER NOT NULL UNIQUE,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX routes_tenant ON routes (tenant);
CREATE INDEX routes_shard ON routes (shard);

-- `fencing` outlives the lease: the next one gets a higher number.
CREATE TABLE operations (
    id               TEXT    NOT NULL PRIMARY KEY,
    kind             TEXT    NOT NULL,
    tenant           TEXT    REFERENCES tenants (uid),
    tenant_name      TEXT,
    account          TEXT    REFERENCES accounts (id),
    actor            TEXT    NOT NULL,
    state            TEXT    NOT NULL,
    generation       INTEGER NOT NULL,
    error            TEXT,
    result           TEXT,
    workflow_version INTEGER NOT NULL,
    lease_owner      TEXT,
    lease_until      INTEGER,
    fencing          INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    started_at       INTEGER,
    finished_at      INTEGER
) STRICT;

CREATE INDEX operations_created ON operations (created_at, id);
CREATE INDEX operations_tenant ON operations (tenant, created_at);
CREATE INDEX operations_unfinished ON operations (created_at) WHERE finished_at IS NULL;

CREATE TABLE operation_steps (
    operation   TEXT    NOT NULL REFERENCES operations (id),
    seq         INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    title       TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER,
    duration_ms INTEGER,
    message     TEXT,
    PRIMARY KEY (operation, seq),
    UNIQUE (operation, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE operation_events (
    operation TEXT    NOT NULL REFERENCES operations (id),
    seq       INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    data      TEXT    NOT NULL,
    PRIMARY KEY (operation, seq)
) STRICT, WITHOUT ROWID;

-- The outbox. Ids come from `sequences`, so that their order is the order of commits.
CREATE TABLE events (
    id      INTEGER NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    tenant  TEXT,
    shard   INTEGER,
    account TEXT,
    data    TEXT    NOT NULL
) STRICT;

CREATE INDEX events_tenant ON events (tenant, id);
CREATE INDEX events_at ON events (at);

-- No references: the audit log outlives what it tells of.
CREATE TABLE audit (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at            INTEGER NOT NULL,
    actor         TEXT    NOT NULL,
    on_behalf_of  TEXT,
    action        TEXT    NOT NULL,
    resource_kind TEXT    NOT NULL,
    resource_id   TEXT    NOT NULL,
    resource_name TEXT,
    account       TEXT,
    request_id    TEXT,
    "before"      TEXT,
    "after"       TEXT,
    reason        TEXT,
    outcome       TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_resource ON audit (resource_kind, resource_id, id);
CREATE INDEX audit_actor ON audit (actor, id);

CREATE TABLE plans (
    id         TEXT    NOT NULL PRIMARY KEY,
    account    TEXT,
    actor      TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

-- `status` is null while the request is in flight under `claim` of the process `incarnation`.
CREATE TABLE idempotency (
    caller        TEXT    NOT NULL,
    key           TEXT    NOT NULL,
    method        TEXT    NOT NULL,
    path          TEXT    NOT NULL,
    body_sha256   BLOB    NOT NULL,
    incarnation   TEXT    NOT NULL,
    claim         INTEGER NOT NULL,
    claimed_at    INTEGER NOT NULL,
    status        INTEGER,
    body          TEXT,
    showed_secret INTEGER NOT NULL,
    tenant        TEXT,
    operation     TEXT,
    expires_at    INTEGER NOT NULL,
    PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_expires ON idempotency (expires_at);
