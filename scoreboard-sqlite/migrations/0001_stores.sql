-- Ids that are UUIDs are their 16 bytes, times are milliseconds since 1970, and everything is STRICT.

-- "scor": tells this file from another program's.
PRAGMA application_id = 1935896434;

-- Which life of this file it is. Raised by whoever restores a backup, so that a version number is never taken for an older one.
CREATE TABLE meta (
    one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL CHECK (epoch > 0),
    -- Turned by each check of whether there is room to write: what changes nothing does not reach the device.
    probe INTEGER NOT NULL DEFAULT 0 CHECK (probe IN (0, 1))
) STRICT;
INSERT INTO meta (one, epoch) VALUES (1, 1);

-- `kinds` is the catalogue as JSON: it is only ever read and replaced whole.
CREATE TABLE boards (
    no        INTEGER NOT NULL PRIMARY KEY,
    id        TEXT NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 63),
    name      TEXT NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('descending', 'ascending')),
    operator  TEXT NOT NULL CHECK (operator IN ('increment', 'best', 'set', 'decrement')),
    tie_break TEXT NOT NULL CHECK (tie_break IN ('earliest', 'latest')),
    kinds     TEXT NOT NULL CHECK (json_type(kinds) = 'array'),
    season    INTEGER NOT NULL CHECK (season > 0),
    version   INTEGER NOT NULL CHECK (version >= 0)
) STRICT;

-- The seasons a board has had, with the number of their entries. One that has no row never was.
CREATE TABLE seasons (
    board  INTEGER NOT NULL REFERENCES boards (no),
    season INTEGER NOT NULL CHECK (season > 0),
    total  INTEGER NOT NULL CHECK (total >= 0),
    PRIMARY KEY (board, season)
) STRICT, WITHOUT ROWID;

-- The action log: in version order, it is the board. Never updated, never deleted from.
--
-- A user's rows of one season are a chain: each knows the one before it, and the score knows the last. An index would have to be
-- written at a place of its own for each row, and cost more than all else that is written for it.
CREATE TABLE log (
    board            INTEGER NOT NULL,
    version          INTEGER NOT NULL CHECK (version > 0),
    epoch            INTEGER NOT NULL CHECK (epoch > 0),
    action_id        BLOB NOT NULL UNIQUE CHECK (length(action_id) = 16),
    fingerprint      BLOB NOT NULL CHECK (length(fingerprint) = 16),
    season           INTEGER NOT NULL,
    user_id          BLOB NOT NULL CHECK (length(user_id) = 16),
    kind             TEXT NOT NULL,
    points           INTEGER NOT NULL CHECK (points BETWEEN -9007199254740991 AND 9007199254740991),
    origin           TEXT NOT NULL CHECK (origin IN ('action', 'record')),
    previous_score   INTEGER,
    previous_version INTEGER CHECK (previous_version < version),
    previous_at      INTEGER,
    score            INTEGER NOT NULL CHECK (score BETWEEN -9007199254740991 AND 9007199254740991),
    at               INTEGER NOT NULL CHECK (at >= 0),
    -- The version of the user's row before this one, NULL for the first.
    chained_to       INTEGER CHECK (chained_to < version),
    -- The latest time in the chain up to here: no row further down is later.
    chain_at         INTEGER NOT NULL CHECK (chain_at >= at),
    PRIMARY KEY (board, version),
    FOREIGN KEY (board, season) REFERENCES seasons (board, season) DEFERRABLE INITIALLY DEFERRED,
    CHECK ((previous_score IS NULL) = (previous_version IS NULL) AND (previous_score IS NULL) = (previous_at IS NULL)),
    CHECK ((previous_score IS NULL) = (chained_to IS NULL))
) STRICT, WITHOUT ROWID;

-- What the log folds to. The order key sorts ascending in either direction, so that one index serves every board.
CREATE TABLE scores (
    board       INTEGER NOT NULL,
    season      INTEGER NOT NULL,
    user_id     BLOB NOT NULL CHECK (length(user_id) = 16),
    score       INTEGER NOT NULL,
    reached     INTEGER NOT NULL CHECK (reached > 0),
    updated_at  INTEGER NOT NULL CHECK (updated_at >= 0),
    order_score INTEGER NOT NULL CHECK (abs(order_score) = abs(score)),
    order_tie   INTEGER NOT NULL CHECK (abs(order_tie) = reached),
    -- The version of the last row in the user's chain, and the latest time in it.
    chain_end   INTEGER NOT NULL CHECK (chain_end >= reached),
    chain_at    INTEGER NOT NULL,
    PRIMARY KEY (board, season, user_id),
    FOREIGN KEY (board, season) REFERENCES seasons (board, season) DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX scores_in_order ON scores (board, season, order_score, order_tie);

-- Whoever has a row has the role `user`; the others are columns.
CREATE TABLE users (
    id           BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    email        TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    password     TEXT NOT NULL,
    moderator    INTEGER NOT NULL CHECK (moderator IN (0, 1)),
    admin        INTEGER NOT NULL CHECK (admin IN (0, 1)),
    created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Whose a session is, is not checked against `users`: accounts may be kept elsewhere.
CREATE TABLE sessions (
    id         BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id    BLOB NOT NULL CHECK (length(user_id) = 16),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_by_end ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Only hashes: the tokens themselves are with their owners.
CREATE TABLE refresh_tokens (
    hash    BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    session BLOB NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session);

-- A session has at most one token that is not used up.
CREATE UNIQUE INDEX refresh_tokens_newest ON refresh_tokens (session) WHERE used_at IS NULL;

CREATE TABLE server_keys (
    id         TEXT NOT NULL PRIMARY KEY,
    secret     BLOB NOT NULL CHECK (length(secret) = 32),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `no` is the order in which they were written down.
CREATE TABLE incidents (
    no        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id        BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    at        INTEGER NOT NULL,
    board     TEXT NOT NULL,
    user_id   BLOB NOT NULL CHECK (length(user_id) = 16),
    action_id BLOB NOT NULL CHECK (length(action_id) = 16),
    rule      TEXT NOT NULL,
    evidence  TEXT NOT NULL,
    UNIQUE (action_id, rule)
) STRICT;
