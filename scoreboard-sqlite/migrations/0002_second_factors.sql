-- Only adds: a program of the release before goes on with a file that it has open.

-- A second factor is one state, compared by its stamp and replaced as a whole. `secret` is sealed under a key that is not in this file. The
-- hashes of recovery codes, 32 bytes each, and the times of wrong codes, 8 bytes each with the most significant first, stand one behind the other.
CREATE TABLE factors (
    user_id        BLOB NOT NULL PRIMARY KEY CHECK (length(user_id) = 16),
    stamp          BLOB NOT NULL CHECK (length(stamp) = 16),
    secret         BLOB NOT NULL,
    confirmed_at   INTEGER,
    last_step      INTEGER CHECK (last_step >= 0),
    recovery_codes BLOB NOT NULL CHECK (length(recovery_codes) % 32 = 0),
    wrong_at       BLOB NOT NULL CHECK (length(wrong_at) % 8 = 0)
) STRICT, WITHOUT ROWID;

-- Logins whose password was right. Only hashes: the names are with their clients, and codes with the users.
CREATE TABLE login_challenges (
    id         BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    user_id    BLOB NOT NULL CHECK (length(user_id) = 16),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    tries      INTEGER NOT NULL CHECK (tries >= 0),
    sent       INTEGER NOT NULL CHECK (sent >= 0),
    code       BLOB CHECK (length(code) = 32)
) STRICT, WITHOUT ROWID;

CREATE INDEX login_challenges_by_expiry ON login_challenges (expires_at);

-- Whose address was shown to be theirs.
CREATE TABLE confirmed_addresses (
    user_id      BLOB NOT NULL PRIMARY KEY CHECK (length(user_id) = 16),
    confirmed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_of_user ON sessions (user_id);
