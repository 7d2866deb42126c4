-- Plugins and themes: the mirror's archives, and what is asked to go from sites.
--
-- An archive is its SHA-256; the file lies beside the registry. Who may use it is in
-- `package_holders`, where the account '' is everybody. `package_sightings` are the first bytes
-- that an origin ever gave for a version; they outlive the archive.

CREATE TABLE packages (
    sha256       TEXT    NOT NULL PRIMARY KEY,
    kind         TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    version      TEXT    NOT NULL,
    title        TEXT    NOT NULL,
    size         INTEGER NOT NULL,
    requires     TEXT,
    requires_php TEXT,
    tested       TEXT,
    first_seen   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX packages_name ON packages (name, sha256);

CREATE TABLE package_holders (
    sha256   TEXT    NOT NULL REFERENCES packages (sha256),
    account  TEXT    NOT NULL,
    origin   TEXT    NOT NULL,
    actor    TEXT    NOT NULL,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (sha256, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE package_sightings (
    origin  TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    version TEXT    NOT NULL,
    sha256  TEXT    NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (origin, kind, name, version)
) STRICT, WITHOUT ROWID;

-- What a site must not have until the shard has converged to `generation`: a plugin that the spec
-- did not install, and that somebody asked to remove.
CREATE TABLE package_removals (
    tenant     TEXT    NOT NULL REFERENCES tenants (uid),
    kind       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, name)
) STRICT, WITHOUT ROWID;
