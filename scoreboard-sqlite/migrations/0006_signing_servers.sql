-- Only adds: a program of the release before goes on with a file that it has open. To it a public key is the hash of a secret that nobody has.

-- Whether `secret` is the public key with which a game server's requests are verified, and not the hash of a secret.
ALTER TABLE server_keys ADD COLUMN signs INTEGER NOT NULL DEFAULT 0 CHECK (signs IN (0, 1));
