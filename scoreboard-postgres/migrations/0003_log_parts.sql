-- The log is cut by the ids of its actions, so that what is old can be archived and dropped as a whole: ids that the server gives have
-- their time in front (UUIDv7, RFC 9562), so that a range of ids is a range of time. What trusted servers recorded has ids without a time
-- and keys that never expire: it lies by itself, and stays.
--
--   log                     by origin
--     log_records           what was recorded
--     log_actions           by id
--       log_actions_1 …     one for each row of `log_parts`, the first from the least id on
--       log_actions_other   ids beyond the last part: every id has a place
--
-- An id has one place for ever, so what is unique in each place is unique in all. No place knows another's versions: a board's next one
-- is taken under the lock of its row.
--
-- Writers wait for this lock before they hold anything; who reads the log waits below. Both go on when this is done, also those of
-- the release before: what they ask for has the same names. Pages are read meanwhile.
LOCK TABLE boards IN EXCLUSIVE MODE;

-- `below` is the end of a part, and where the next one begins. `file` is where it is archived: it is named before the first byte is written,
-- and stays. A part with a digest is archived and dropped.
CREATE TABLE log_parts (
    no     bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    below  uuid NOT NULL UNIQUE,
    file   text,
    rows   bigint CHECK (rows >= 0),
    digest bytea CHECK (length(digest) = 32),
    CHECK ((rows IS NULL) = (digest IS NULL) AND (digest IS NULL OR file IS NOT NULL))
);

ALTER TABLE log RENAME TO log_actions_1;
CREATE TABLE log (LIKE log_actions_1 INCLUDING CONSTRAINTS) PARTITION BY LIST (origin);
CREATE TABLE log_records (LIKE log_actions_1 INCLUDING ALL);
CREATE TABLE log_actions (LIKE log_actions_1 INCLUDING CONSTRAINTS) PARTITION BY RANGE (action_id);
CREATE TABLE log_actions_other (LIKE log_actions_1 INCLUDING ALL);

-- What is there becomes the first part as it lies, with its indexes; only what belongs elsewhere is moved. It ends a day from now, for ids
-- are given by clocks that may be ahead.
DO $$
DECLARE
    tomorrow bigint := (extract(epoch FROM now()) * 1000)::bigint + 86400000;
    first_end uuid := (lpad(to_hex(tomorrow), 12, '0') || repeat('0', 20))::uuid;
BEGIN
    INSERT INTO log_parts (below) VALUES (first_end);
    WITH moved AS (DELETE FROM log_actions_1 WHERE origin = 'record' RETURNING *) INSERT INTO log_records SELECT * FROM moved;
    WITH moved AS (DELETE FROM log_actions_1 WHERE action_id >= first_end RETURNING *)
    INSERT INTO log_actions_other SELECT * FROM moved;
    EXECUTE format('ALTER TABLE log_actions ATTACH PARTITION log_actions_1 FOR VALUES FROM (MINVALUE) TO (%L)', first_end);
END
$$;

ALTER TABLE log_actions ATTACH PARTITION log_actions_other DEFAULT;
ALTER TABLE log ATTACH PARTITION log_actions FOR VALUES IN ('action');
ALTER TABLE log ATTACH PARTITION log_records FOR VALUES IN ('record');

-- Last, for these keep readers of pages out until the end.
--
-- The log is whole behind this version; of what is before it, actions are archived.
ALTER TABLE boards ADD COLUMN log_after bigint NOT NULL DEFAULT 0 CHECK (log_after BETWEEN 0 AND version);

-- Actions with ids below this one are archived, or are being archived: none is taken any more that did not count before.
ALTER TABLE meta ADD COLUMN actions_from uuid;
