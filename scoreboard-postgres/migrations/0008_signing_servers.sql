-- Only adds: servers of the release before go on. To them a public key is the hash of a secret that nobody has.

-- Whether `secret` is the public key with which a game server's requests are verified, and not the hash of a secret.
ALTER TABLE server_keys ADD COLUMN signs boolean NOT NULL DEFAULT false;
