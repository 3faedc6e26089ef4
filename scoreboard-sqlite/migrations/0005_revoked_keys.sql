-- Only adds: a program of the release before goes on with a file that it has open.

-- Signing keys whose signatures are refused. Only their ids: the keys are in the key file.
CREATE TABLE revoked_keys (
    id         TEXT NOT NULL PRIMARY KEY,
    revoked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
