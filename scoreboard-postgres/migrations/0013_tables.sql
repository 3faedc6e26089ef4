-- Which tables the epoch belongs to: the number that the table `boards` was made under. Where a dump is loaded, tables are made anew, also on the same
-- server. Unknown until a server of this version has connected.
ALTER TABLE meta ADD COLUMN tables bigint;
