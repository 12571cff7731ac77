-- A series file of format 1, as the version made it that let a missing value replace a number.
PRAGMA application_id = 0x426B5365;
PRAGMA user_version = 1;
CREATE TABLE recent (
    datastream INTEGER NOT NULL,
    observed_at INTEGER NOT NULL,
    value REAL,
    flag INTEGER NOT NULL,
    tests INTEGER NOT NULL,
    deployment INTEGER NOT NULL,
    time_source INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (datastream, observed_at)
) WITHOUT ROWID;
CREATE TABLE superseded (
    datastream INTEGER NOT NULL,
    observed_at INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    value REAL,
    flag INTEGER NOT NULL,
    tests INTEGER NOT NULL,
    deployment INTEGER NOT NULL,
    time_source INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (datastream, observed_at, revision)
) WITHOUT ROWID;
CREATE TABLE reflagged (
    datastream INTEGER NOT NULL,
    observed_at INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    flag INTEGER NOT NULL,
    tests INTEGER NOT NULL,
    PRIMARY KEY (datastream, observed_at, revision, recorded_at)
) WITHOUT ROWID;
CREATE TABLE ledger (
    minute INTEGER NOT NULL,
    source TEXT NOT NULL,
    stored INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    corrected INTEGER NOT NULL,
    PRIMARY KEY (minute, source)
) WITHOUT ROWID;
CREATE TABLE cursor (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL
);
INSERT INTO cursor (id, seq) VALUES (1, 0);
CREATE TABLE refused (
    series TEXT NOT NULL,
    observed_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (series, observed_at)
) WITHOUT ROWID;
CREATE TABLE copying (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    source INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    name TEXT NOT NULL
);
