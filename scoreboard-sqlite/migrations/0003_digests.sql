-- The log is a hash chain: each row has the digest of the row before it and of what it says itself, and its board that of the newest one.
-- Rows that are there already have none, and what a release that knows of none still writes has none: the chain goes on behind them.
ALTER TABLE log ADD COLUMN digest BLOB CHECK (length(digest) = 32);
ALTER TABLE boards ADD COLUMN head BLOB CHECK (length(head) = 32);
