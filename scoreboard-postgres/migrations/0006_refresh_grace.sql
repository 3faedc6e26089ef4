-- Only adds: servers of the release before go on.

-- What took the place of a used token, so that who lost the answer is given the same. NULL for those that an older server used up.
ALTER TABLE refresh_tokens ADD COLUMN next bytea CHECK (length(next) = 32);
