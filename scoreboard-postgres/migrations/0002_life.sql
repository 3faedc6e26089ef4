-- Which life of the database server the epoch belongs to: the number that `initdb` drew, and the timeline. It changes with a failover,
-- with a recovery to a point in time, and where a dump is loaded elsewhere. Unknown until a server of this version has connected.
ALTER TABLE meta ADD COLUMN life text COLLATE "C";
