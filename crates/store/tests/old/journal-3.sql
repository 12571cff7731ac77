-- A journal beside InfluxDB of format 3, as the version made it that let a missing value replace a number.
PRAGMA application_id = 0x426B496E;
PRAGMA user_version = 3;
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
CREATE TABLE series (
    datastream INTEGER PRIMARY KEY,
    station TEXT NOT NULL,
    parameter TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    floor INTEGER NOT NULL,
    UNIQUE (station, parameter)
);
CREATE TABLE pending (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    corrected INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE hours (
    datastream INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    usable INTEGER NOT NULL DEFAULT 0,
    total REAL NOT NULL DEFAULT 0,
    lost REAL NOT NULL DEFAULT 0,
    least REAL,
    greatest REAL,
    last_at INTEGER,
    gap INTEGER NOT NULL DEFAULT 3600000,
    exact INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (datastream, hour)
) WITHOUT ROWID;
CREATE TRIGGER hours_changed AFTER UPDATE ON recent
WHEN old.value IS NOT new.value OR (old.flag IN (4, 9)) <> (new.flag IN (4, 9))
BEGIN
    UPDATE hours SET exact = 0 WHERE datastream = new.datastream
    AND hour BETWEEN new.observed_at - 3599999 AND new.observed_at + 3600000;
END;
