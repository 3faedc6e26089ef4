-- What people make of incidents. Only adds: servers of the release before go on. A column with a constant for a default is added without
-- rewriting a row; who writes an incident down waits while the indexes are made, nobody else does.

-- `measure` is what was done or is proposed; `finding` what a statistical rule has found, as JSON: it is only ever read whole. The rest is the
-- fold of `incident_steps`, of which there are as many as `revision` says.
ALTER TABLE incidents
    ADD COLUMN measure text COLLATE "C" NOT NULL DEFAULT 'block' CHECK (measure IN ('flag', 'hold', 'block')),
    ADD COLUMN finding text,
    ADD COLUMN status text COLLATE "C" NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'confirmed', 'dismissed')),
    ADD COLUMN assignee uuid,
    ADD COLUMN decided_by uuid,
    ADD COLUMN decided_at bigint,
    ADD COLUMN note text NOT NULL DEFAULT '',
    ADD COLUMN revision bigint NOT NULL DEFAULT 0 CHECK (revision >= 0);

CREATE INDEX incidents_by_status ON incidents (status, no);
CREATE INDEX incidents_of_user ON incidents (user_id, no);

-- Who did what with an incident, when and why. Never updated, never deleted from. A step either decides, then it has a status, or assigns.
CREATE TABLE incident_steps (
    incident uuid NOT NULL REFERENCES incidents (id),
    revision bigint NOT NULL CHECK (revision >= 0),
    at       bigint NOT NULL,
    by_user  uuid NOT NULL,
    status   text COLLATE "C" CHECK (status IN ('open', 'confirmed', 'dismissed')),
    assignee uuid,
    note     text NOT NULL,
    PRIMARY KEY (incident, revision),
    CHECK (status IS NULL OR assignee IS NULL)
);

-- Up to where the log of a board was watched for more. The board itself may lie in another database.
CREATE TABLE watched (
    board   text COLLATE "C" NOT NULL PRIMARY KEY,
    epoch   bigint NOT NULL,
    version bigint NOT NULL
);
