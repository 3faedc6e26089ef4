-- The log is a hash chain: each row has the digest of the row before it and of what it says itself, and its board that of the newest one.
--
-- Only adds, and rewrites nothing: servers of the release before go on. What they write has no digest, and the chain goes on behind it.
-- What a digest is, is not checked here, for that would read the whole log under this lock; who reads it checks it.
--
-- Writers wait for this lock before they hold anything; who reads the log waits below.
LOCK TABLE boards IN EXCLUSIVE MODE;
ALTER TABLE log ADD COLUMN digest bytea;

-- Last, for this keeps readers of pages out until the end.
ALTER TABLE boards ADD COLUMN head bytea CHECK (length(head) = 32);
