-- What people make of incidents. Only adds: a program of the release before goes on with a file that it has open.

-- `measure` is what was done or is proposed; `finding` what a statistical rule has found, as JSON: it is only ever read whole. The rest is the
-- fold of `incident_steps`, of which there are as many as `revision` says.
ALTER TABLE incidents ADD COLUMN measure TEXT NOT NULL DEFAULT 'block' CHECK (measure IN ('flag', 'hold', 'block'));
ALTER TABLE incidents ADD COLUMN finding TEXT;
ALTER TABLE incidents ADD COLUMN status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'confirmed', 'dismissed'));
ALTER TABLE incidents ADD COLUMN assignee BLOB CHECK (length(assignee) = 16);
ALTER TABLE incidents ADD COLUMN decided_by BLOB CHECK (length(decided_by) = 16);
ALTER TABLE incidents ADD COLUMN decided_at INTEGER;
ALTER TABLE incidents ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE incidents ADD COLUMN revision INTEGER NOT NULL DEFAULT 0 CHECK (revision >= 0);

CREATE INDEX incidents_by_status ON incidents (status, no);
CREATE INDEX incidents_of_user ON incidents (user_id, no);

-- Who did what with an incident, when and why. Never updated, never deleted from. A step either decides, then it has a status, or assigns.
CREATE TABLE incident_steps (
    incident BLOB NOT NULL REFERENCES incidents (id),
    revision INTEGER NOT NULL CHECK (revision >= 0),
    at       INTEGER NOT NULL,
    by_user  BLOB NOT NULL CHECK (length(by_user) = 16),
    status   TEXT CHECK (status IN ('open', 'confirmed', 'dismissed')),
    assignee BLOB CHECK (length(assignee) = 16),
    note     TEXT NOT NULL,
    PRIMARY KEY (incident, revision),
    CHECK (status IS NULL OR assignee IS NULL)
) STRICT, WITHOUT ROWID;

-- Up to where the log of a board was watched for more. The board itself may lie in another file.
CREATE TABLE watched (
    board   TEXT NOT NULL PRIMARY KEY,
    epoch   INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
