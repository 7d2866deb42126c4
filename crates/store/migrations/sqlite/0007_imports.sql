-- Imports: an archive that a client uploads, or that another site's export makes (`source`), and
-- the tenant that is made of it.

CREATE TABLE imports (
    id                TEXT    NOT NULL PRIMARY KEY,
    account           TEXT    NOT NULL,
    actor             TEXT    NOT NULL,
    name              TEXT    NOT NULL,
    spec              TEXT,
    state             TEXT    NOT NULL,
    source            TEXT,
    report            TEXT,
    wordpress_version TEXT,
    tenant            TEXT,
    operation         TEXT,
    message           TEXT,
    created_at        INTEGER NOT NULL,
    expires_at        INTEGER NOT NULL
) STRICT;

CREATE INDEX imports_tenant ON imports (tenant, state);
CREATE INDEX imports_state ON imports (state);
