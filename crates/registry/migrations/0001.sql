-- One row: how often something was applied.
CREATE TABLE revision (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL
);
INSERT INTO revision (one, number) VALUES (1, 0);

-- Catalogue items except datastreams, one JSON text each; revision is that of their last change.
CREATE TABLE item (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    position INTEGER NOT NULL,
    json TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

-- Datastreams are stored under an integer that is never given away again: rows are retired, not deleted.
CREATE TABLE datastream_number (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    unit TEXT NOT NULL,
    json TEXT NOT NULL,
    created_revision INTEGER NOT NULL,
    retired_revision INTEGER
);
CREATE TABLE datastream_alias (
    alias TEXT PRIMARY KEY,
    number INTEGER NOT NULL REFERENCES datastream_number (number)
) WITHOUT ROWID;

-- Observations carry this integer; it stays even when the deployment leaves the catalogue.
CREATE TABLE deployment_number (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    datastream INTEGER NOT NULL REFERENCES datastream_number (number),
    from_ms INTEGER NOT NULL,
    UNIQUE (datastream, from_ms)
);

CREATE TABLE audit (
    revision INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    summary TEXT NOT NULL,
    difference TEXT NOT NULL
);
CREATE TABLE setting (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

PRAGMA application_id = 1650551666;
PRAGMA user_version = 1;
