-- Writers wait for this lock before they hold anything, who reads the log waits below, readers of pages go on. Servers of the release before go
-- on when this is done, but must be gone before the first decision: they would show what is void, and take what is banned.
LOCK TABLE boards IN EXCLUSIVE MODE;

-- Decisions of moderators, in the order in which they were carried out. `act` is JSON: it is only ever read whole.
CREATE TABLE moderations (
    no          bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          uuid NOT NULL UNIQUE,
    at          bigint NOT NULL,
    by          text NOT NULL,
    reason      text NOT NULL,
    act         text NOT NULL CHECK (json_typeof(act::json) = 'object'),
    changed     bigint NOT NULL CHECK (changed >= 0),
    corrections bigint NOT NULL CHECK (corrections >= 0)
);

-- Actions that do not count, and those that did not once: what was void before it was archived is known by it.
CREATE TABLE voids (
    action_id  uuid NOT NULL PRIMARY KEY,
    board      bigint NOT NULL,
    user_id    uuid NOT NULL,
    version    bigint NOT NULL,
    is_void    boolean NOT NULL,
    moderation bigint NOT NULL REFERENCES moderations (no)
);

CREATE INDEX voids_of_user ON voids (board, user_id, version);

-- Who is not as any other, on all boards.
CREATE TABLE restrictions (
    user_id     uuid NOT NULL PRIMARY KEY,
    restriction text COLLATE "C" NOT NULL CHECK (restriction IN ('held', 'shadowed', 'banned')),
    moderation  bigint NOT NULL REFERENCES moderations (no)
);

-- What restricted users have, who have anything. In `scores` is what others are shown of them, if anything.
CREATE TABLE withheld (
    board      bigint NOT NULL,
    season     bigint NOT NULL CHECK (season BETWEEN 1 AND 4294967295),
    user_id    uuid NOT NULL,
    score      bigint NOT NULL,
    reached    bigint NOT NULL CHECK (reached > 0),
    updated_at bigint NOT NULL CHECK (updated_at >= 0),
    PRIMARY KEY (board, season, user_id)
);

-- What others are shown of the user from a row on: NULL for all that they have, else `before` or `nothing`. Of a correction that leaves a score, the
-- version and time at which it was reached; the score is in `score`. Without checks: those would read the whole log now.
ALTER TABLE log ADD COLUMN visibility text COLLATE "C", ADD COLUMN corrected_version bigint, ADD COLUMN corrected_at bigint;

-- Corrections lie by themselves, and stay, as what was recorded does. What belongs where, the places say themselves.
ALTER TABLE log DROP CONSTRAINT log_origin_check;
CREATE TABLE log_corrections (LIKE log_records INCLUDING ALL);
ALTER TABLE log ATTACH PARTITION log_corrections FOR VALUES IN ('correction');
