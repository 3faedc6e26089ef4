-- Only adds: a program of the release before goes on with a file that it has open.

-- What took the place of a used token, so that who lost the answer is given the same. NULL for those that an older program used up.
ALTER TABLE refresh_tokens ADD COLUMN next BLOB CHECK (length(next) = 32);
