-- A log has rows now that no change made, and users who had something and have nothing any more. The checks that know of neither go as
-- https://www.sqlite.org/lang_altertable.html, 7, describes it: in the schema alone, without touching a row. What they let through before passes
-- the new ones too.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(replace(sql, 'CHECK (origin IN (''action'', ''record''))', 'CHECK (origin IN (''action'', ''record'', ''correction''))'),
                  ',
    CHECK ((previous_score IS NULL) = (chained_to IS NULL))', '')
WHERE type = 'table' AND name = 'log';
PRAGMA writable_schema = RESET;

-- What others are shown of the user from this row on: NULL for all that they have.
ALTER TABLE log ADD COLUMN visibility TEXT CHECK (visibility IN ('before', 'nothing'));
-- Of a correction that leaves a score: the version and time at which it was reached. The score is in `score`.
ALTER TABLE log ADD COLUMN corrected_version INTEGER CHECK (corrected_version IS NULL OR origin = 'correction' AND corrected_version < version);
ALTER TABLE log ADD COLUMN corrected_at INTEGER CHECK ((corrected_at IS NULL) = (corrected_version IS NULL));

-- Decisions of moderators, in the order in which they were carried out. `act` is JSON: it is only ever read whole.
CREATE TABLE moderations (
    no          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id          BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    at          INTEGER NOT NULL,
    by          TEXT NOT NULL,
    reason      TEXT NOT NULL,
    act         TEXT NOT NULL CHECK (json_type(act) = 'object'),
    changed     INTEGER NOT NULL CHECK (changed >= 0),
    corrections INTEGER NOT NULL CHECK (corrections >= 0)
) STRICT;

-- Actions that do not count.
CREATE TABLE voids (
    action_id  BLOB NOT NULL PRIMARY KEY CHECK (length(action_id) = 16),
    moderation INTEGER NOT NULL REFERENCES moderations (no)
) STRICT, WITHOUT ROWID;

-- Who is not as any other, on all boards.
CREATE TABLE restrictions (
    user_id     BLOB NOT NULL PRIMARY KEY CHECK (length(user_id) = 16),
    restriction TEXT NOT NULL CHECK (restriction IN ('held', 'shadowed', 'banned')),
    moderation  INTEGER NOT NULL REFERENCES moderations (no)
) STRICT, WITHOUT ROWID;

-- What those have of whom others are shown something else, or nothing: in `scores` is what is shown. It ends the user's chain, also where nothing
-- is left that counts: then it has no score.
CREATE TABLE withheld (
    board      INTEGER NOT NULL,
    season     INTEGER NOT NULL,
    user_id    BLOB NOT NULL CHECK (length(user_id) = 16),
    score      INTEGER,
    reached    INTEGER CHECK (reached > 0),
    updated_at INTEGER CHECK (updated_at >= 0),
    chain_end  INTEGER NOT NULL CHECK (reached IS NULL OR chain_end >= reached),
    chain_at   INTEGER NOT NULL,
    PRIMARY KEY (board, season, user_id),
    FOREIGN KEY (board, season) REFERENCES seasons (board, season) DEFERRABLE INITIALLY DEFERRED,
    CHECK ((score IS NULL) = (reached IS NULL) AND (score IS NULL) = (updated_at IS NULL))
) STRICT, WITHOUT ROWID;
