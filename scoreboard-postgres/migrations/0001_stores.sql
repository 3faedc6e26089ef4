-- Times are milliseconds since 1970. Words are compared by their bytes, whatever the database's locale is.

-- Which life of this database it is. Raised by whoever restores a backup, so that a version number is never taken for an older one.
CREATE TABLE meta (
    one   bigint NOT NULL PRIMARY KEY CHECK (one = 1),
    epoch bigint NOT NULL CHECK (epoch > 0)
);
INSERT INTO meta (one, epoch) VALUES (1, 1);

-- `kinds` is the catalogue as JSON: it is only ever read and replaced whole.
-- A board's row is what its writers take turns by. It has room beside it, so that its next version needs no new place in an index.
CREATE TABLE boards (
    no        bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id        text COLLATE "C" NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 63),
    name      text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('descending', 'ascending')),
    operator  text NOT NULL CHECK (operator IN ('increment', 'best', 'set', 'decrement')),
    tie_break text NOT NULL CHECK (tie_break IN ('earliest', 'latest')),
    kinds     text NOT NULL CHECK (json_typeof(kinds::json) = 'array'),
    season    bigint NOT NULL CHECK (season BETWEEN 1 AND 4294967295),
    version   bigint NOT NULL CHECK (version >= 0)
) WITH (fillfactor = 50);

-- The seasons a board has had, with the number of their entries. One that has no row never was.
CREATE TABLE seasons (
    board  bigint NOT NULL REFERENCES boards (no),
    season bigint NOT NULL CHECK (season BETWEEN 1 AND 4294967295),
    total  bigint NOT NULL CHECK (total >= 0),
    PRIMARY KEY (board, season)
) WITH (fillfactor = 50);

-- The action log: in version order, it is the board. Never updated, never deleted from.
--
-- Its season is not checked against `seasons`: who writes it holds the lock of its board, and has read the season there.
CREATE TABLE log (
    board            bigint NOT NULL,
    version          bigint NOT NULL CHECK (version > 0),
    epoch            bigint NOT NULL CHECK (epoch > 0),
    action_id        uuid NOT NULL,
    fingerprint      uuid NOT NULL,
    season           bigint NOT NULL CHECK (season BETWEEN 1 AND 4294967295),
    user_id          uuid NOT NULL,
    kind             text COLLATE "C" NOT NULL,
    points           bigint NOT NULL CHECK (points BETWEEN -9007199254740991 AND 9007199254740991),
    origin           text NOT NULL CHECK (origin IN ('action', 'record')),
    previous_score   bigint,
    previous_version bigint CHECK (previous_version < version),
    previous_at      bigint,
    score            bigint NOT NULL CHECK (score BETWEEN -9007199254740991 AND 9007199254740991),
    at               bigint NOT NULL CHECK (at >= 0),
    PRIMARY KEY (board, version),
    CONSTRAINT log_counts_once UNIQUE (action_id),
    CHECK ((previous_score IS NULL) = (previous_version IS NULL) AND (previous_score IS NULL) = (previous_at IS NULL))
);

CREATE INDEX log_of_user ON log (board, user_id, version DESC);

-- What the log folds to. The order key sorts ascending in either direction, so that one index serves every board.
CREATE TABLE scores (
    board       bigint NOT NULL,
    season      bigint NOT NULL CHECK (season BETWEEN 1 AND 4294967295),
    user_id     uuid NOT NULL,
    score       bigint NOT NULL,
    reached     bigint NOT NULL CHECK (reached > 0),
    updated_at  bigint NOT NULL CHECK (updated_at >= 0),
    order_score bigint NOT NULL CHECK (abs(order_score) = abs(score)),
    order_tie   bigint NOT NULL CHECK (abs(order_tie) = reached),
    PRIMARY KEY (board, season, user_id)
);

CREATE UNIQUE INDEX scores_in_order ON scores (board, season, order_score, order_tie);

-- Whoever has a row has the role `user`; the others are columns.
CREATE TABLE users (
    id           uuid NOT NULL PRIMARY KEY,
    email        text COLLATE "C" NOT NULL UNIQUE,
    display_name text NOT NULL,
    password     text COLLATE "C" NOT NULL,
    moderator    boolean NOT NULL,
    admin        boolean NOT NULL,
    created_at   bigint NOT NULL
);

-- Whose a session is, is not checked against `users`: accounts may be kept elsewhere.
CREATE TABLE sessions (
    id         uuid NOT NULL PRIMARY KEY,
    user_id    uuid NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    ended_at   bigint
);

CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_by_end ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Only hashes: the tokens themselves are with their owners.
CREATE TABLE refresh_tokens (
    hash    bytea NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    session uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    used_at bigint
);

CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session);

-- A session has at most one token that is not used up.
CREATE UNIQUE INDEX refresh_tokens_newest ON refresh_tokens (session) WHERE used_at IS NULL;

CREATE TABLE server_keys (
    id         text COLLATE "C" NOT NULL PRIMARY KEY,
    secret     bytea NOT NULL CHECK (length(secret) = 32),
    created_at bigint NOT NULL
);

-- `no` is the order in which they were written down.
CREATE TABLE incidents (
    no        bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id        uuid NOT NULL UNIQUE,
    at        bigint NOT NULL,
    board     text COLLATE "C" NOT NULL,
    user_id   uuid NOT NULL,
    action_id uuid NOT NULL,
    rule      text COLLATE "C" NOT NULL,
    evidence  text NOT NULL,
    UNIQUE (action_id, rule)
);
