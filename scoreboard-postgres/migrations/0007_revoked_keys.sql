-- Only adds: servers of the release before go on, and know nothing of what is revoked.

-- Signing keys whose signatures are refused. Only their ids: the keys are in the key file.
CREATE TABLE revoked_keys (
    id         text COLLATE "C" NOT NULL PRIMARY KEY,
    revoked_at bigint NOT NULL
);
