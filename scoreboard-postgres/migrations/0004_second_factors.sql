-- Only adds: servers of the release before go on. Logins and refreshes wait while the index on `sessions` is made, reads do not.

-- A second factor is one state, compared by its stamp and replaced as a whole. `secret` is sealed under a key that is not in this database.
CREATE TABLE factors (
    user_id        uuid NOT NULL PRIMARY KEY,
    stamp          uuid NOT NULL,
    secret         bytea NOT NULL,
    confirmed_at   bigint,
    last_step      bigint CHECK (last_step >= 0),
    recovery_codes bytea[] NOT NULL,
    wrong_at       bigint[] NOT NULL
);

-- Logins whose password was right. Only hashes: the names are with their clients, and codes with the users.
CREATE TABLE login_challenges (
    id         bytea NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id    uuid NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    tries      bigint NOT NULL CHECK (tries >= 0),
    sent       bigint NOT NULL CHECK (sent >= 0),
    code       bytea CHECK (length(code) = 32)
);

CREATE INDEX login_challenges_by_expiry ON login_challenges (expires_at);

-- Whose address was shown to be theirs: a table of its own, so that nothing that reads users waits for this.
CREATE TABLE confirmed_addresses (
    user_id      uuid NOT NULL PRIMARY KEY,
    confirmed_at bigint NOT NULL
);

CREATE INDEX sessions_of_user ON sessions (user_id);
