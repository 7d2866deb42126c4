-- Webhooks, and what was or is to be delivered to them.

-- `position` is the number of the last event that deliveries were made of. Secrets are sealed.
-- `platform` webhooks are told of all accounts.
CREATE TABLE webhooks (
    id              TEXT    NOT NULL PRIMARY KEY,
    account         TEXT    NOT NULL REFERENCES accounts (id),
    url             TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    kinds           TEXT    NOT NULL,
    tenant          TEXT,
    shard           INTEGER,
    platform        INTEGER NOT NULL,
    active          INTEGER NOT NULL,
    message         TEXT,
    failing_since   INTEGER,
    position        INTEGER NOT NULL,
    sealed_secret   BLOB    NOT NULL,
    sealed_previous BLOB,
    previous_until  INTEGER,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX webhooks_account ON webhooks (account);
CREATE INDEX webhooks_created ON webhooks (created_at, id);

-- `seq` is the order of deliveries. `next_at` is null when there is nothing more to do. `log` has an
-- entry for each attempt.
CREATE TABLE webhook_deliveries (
    seq         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id          TEXT    NOT NULL UNIQUE,
    webhook     TEXT    NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event       INTEGER,
    kind        TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    attempts    INTEGER NOT NULL,
    next_at     INTEGER,
    log         TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;

CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook, seq);
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (webhook, attempts, seq) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_created ON webhook_deliveries (created_at);
