-- The audit log as chains, one for each account and one of the platform itself: every row has its
-- place, and a link over the row before it, its own columns and the hash of its payload. Rows from
-- before this migration are linked by it (`audit_chain.rs`).

ALTER TABLE audit ADD COLUMN plan TEXT;
-- Place in the chain, from 1; 0 is a row that no chain has.
ALTER TABLE audit ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
-- Random bytes in front of the payload when it is hashed; null once the payload is erased.
ALTER TABLE audit ADD COLUMN salt BLOB;
ALTER TABLE audit ADD COLUMN payload_sha256 BLOB NOT NULL DEFAULT x'';
ALTER TABLE audit ADD COLUMN link BLOB NOT NULL DEFAULT x'';

CREATE INDEX audit_chain ON audit (account, seq);
CREATE INDEX audit_account ON audit (account, id);
CREATE INDEX audit_request ON audit (request_id) WHERE request_id IS NOT NULL;

-- `chain` is an account's id, or `platform`.
CREATE TABLE audit_heads (
    chain TEXT    NOT NULL PRIMARY KEY,
    seq   INTEGER NOT NULL,
    link  BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
