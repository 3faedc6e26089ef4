-- Only adds, and reads no row: servers of the release before go on, and leave these columns as they are.

-- When those changes of a user were admitted that may still matter to an exact quota: the newest in 8 bytes, in milliseconds since 1970, and the
-- others in 4 bytes each, by how many milliseconds they lie before it. NULL where none does.
ALTER TABLE scores
    ADD COLUMN admissions bytea,
    ADD CONSTRAINT scores_admissions_check CHECK (length(admissions) % 4 = 0 AND length(admissions) BETWEEN 8 AND 520) NOT VALID;
ALTER TABLE withheld
    ADD COLUMN admissions bytea,
    ADD CONSTRAINT withheld_admissions_check CHECK (length(admissions) % 4 = 0 AND length(admissions) BETWEEN 8 AND 520) NOT VALID;
