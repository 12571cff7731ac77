//! Tables of alerts.db. Migrations only go forward and are never edited once released.

use std::time::Duration;

use bakau_sqlite::Database;

/// The file of alerts.
pub(super) const ALERTS: Database = Database {
    what: "an alert database",
    // "BkAl".
    application_id: 0x426b_416c,
    migrations: &[V1, V2, V3, V4, V5, MARKED, V7, V8],
    unmarked: 5,
    busy_timeout: Duration::from_secs(5),
    ..Database::DEFAULTS
};

/// Times are UTC milliseconds, levels are codes of `bakau_model::Level`, alert ids are 16 bytes.
const V1: &str = "
CREATE TABLE cursor (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL -- cursor B: every spool batch up to here has been evaluated
);
INSERT INTO cursor VALUES (1, 0);

CREATE TABLE engine_state (
    subject TEXT NOT NULL, -- number of a datastream, 'station ID' or 'source NAME'
    rule TEXT NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (subject, rule)
) WITHOUT ROWID;

-- When a sign of life of a subject last came; to within a minute after a kill.
CREATE TABLE heard (
    subject TEXT PRIMARY KEY,
    last INTEGER,
    offline_since INTEGER,
    source TEXT -- the one that the last value came through
) WITHOUT ROWID;

CREATE TABLE mutes (
    rule TEXT PRIMARY KEY,
    until INTEGER NOT NULL,
    by TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE alerts (
    id BLOB PRIMARY KEY,
    rule TEXT NOT NULL,
    rule_name TEXT NOT NULL, -- JSON {id, en}
    kind TEXT NOT NULL, -- ConditionKind
    agency TEXT,
    station TEXT,
    datastream TEXT,
    source TEXT,
    level INTEGER NOT NULL,
    peak INTEGER NOT NULL,
    onset INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    value REAL,
    flag INTEGER,
    worst REAL, -- of the episode up to the last transition
    worst_at INTEGER,
    decided_at INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    closed_at INTEGER,
    closed_reason TEXT,
    ack_by TEXT,
    ack_person TEXT,
    ack_at INTEGER,
    ack_note TEXT
) WITHOUT ROWID;
CREATE INDEX alerts_by_age ON alerts (opened_at, id);
CREATE INDEX alerts_by_datastream ON alerts (datastream, opened_at, id);
CREATE INDEX alerts_by_station ON alerts (station, opened_at, id);
CREATE INDEX alerts_by_agency ON alerts (agency, opened_at, id);
CREATE INDEX alerts_open ON alerts (opened_at, id) WHERE closed_at IS NULL;

-- The decision log.
CREATE TABLE transitions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    alert BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    from_level INTEGER NOT NULL,
    to_level INTEGER NOT NULL,
    reason TEXT NOT NULL,
    observed_at INTEGER NOT NULL,
    value REAL,
    flag INTEGER,
    received_at INTEGER, -- of the deciding observation
    decided_at INTEGER NOT NULL,
    rule_revision INTEGER NOT NULL,
    muted_until INTEGER,
    facts TEXT NOT NULL -- JSON: everything a notification tells, as known when it was decided
);
CREATE INDEX transitions_by_alert ON transitions (alert, sequence);
CREATE TRIGGER transitions_keep BEFORE UPDATE ON transitions
BEGIN SELECT RAISE(ABORT, 'the decision log is append-only'); END;
CREATE TRIGGER transitions_stay BEFORE DELETE ON transitions
BEGIN SELECT RAISE(ABORT, 'the decision log is append-only'); END;

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    transition_id INTEGER NOT NULL REFERENCES transitions (id),
    kind TEXT NOT NULL, -- NotificationKind: transition, reminder, escalation
    number INTEGER NOT NULL, -- 0 for the transition itself, 1 for the first reminder of it
    person TEXT, -- none where a rule tells a webhook directly
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    state INTEGER NOT NULL, -- NotificationState: 0 pending, 1 sent, 2 failed, 3 cancelled
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    idempotency_key TEXT NOT NULL UNIQUE,
    last_result TEXT,
    escalated_from INTEGER REFERENCES outbox (id), -- the notification in whose place it is sent
    escalated_at INTEGER -- when others were told in its place
);
CREATE INDEX outbox_by_transition ON outbox (transition_id);
CREATE INDEX outbox_due ON outbox (channel, next_attempt_at) WHERE state = 0;
CREATE INDEX outbox_oldest ON outbox (created_at) WHERE state = 0;

-- The delivery log: every attempt.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    outbox_id INTEGER NOT NULL REFERENCES outbox (id),
    attempt INTEGER NOT NULL,
    at INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    http_status INTEGER,
    duration_ms INTEGER NOT NULL,
    detail TEXT NOT NULL
);
-- Named after an older word for a notification.
CREATE INDEX deliveries_by_notice ON deliveries (outbox_id, attempt);

-- The command inbox: what people asked for; the engine fills in the outcome.
CREATE TABLE commands (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    body TEXT NOT NULL, -- JSON
    by TEXT NOT NULL,
    person TEXT,
    created_at INTEGER NOT NULL,
    outcome TEXT,
    decided_at INTEGER
);
CREATE INDEX commands_open ON commands (id) WHERE outcome IS NULL;

-- Signs the links in messages; who has this file can acknowledge alerts.
CREATE TABLE link_key (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    key BLOB NOT NULL
);
";

/// An acknowledgement holds for its level. One from before is one of the level that the alert had at that moment.
const V2: &str = "
ALTER TABLE alerts ADD COLUMN ack_level INTEGER; -- of the last acknowledgement, which is the highest
UPDATE alerts SET ack_level = coalesce(
    (SELECT to_level FROM transitions WHERE alert = alerts.id AND decided_at <= ack_at AND to_level <> 0
     ORDER BY sequence DESC LIMIT 1), peak)
WHERE ack_at IS NOT NULL;

-- Who acknowledged an alert, at which level.
CREATE TABLE acknowledgements (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    alert BLOB NOT NULL,
    ack_level INTEGER NOT NULL,
    ack_at INTEGER NOT NULL,
    ack_by TEXT NOT NULL,
    ack_person TEXT,
    ack_note TEXT
);
INSERT INTO acknowledgements (alert, ack_level, ack_at, ack_by, ack_person, ack_note)
    SELECT id, ack_level, ack_at, ack_by, ack_person, ack_note FROM alerts
    WHERE ack_at IS NOT NULL AND ack_by IS NOT NULL ORDER BY ack_at, id;
CREATE INDEX acknowledgements_by_alert ON acknowledgements (alert, id);
CREATE TRIGGER acknowledgements_keep BEFORE UPDATE ON acknowledgements
BEGIN SELECT RAISE(ABORT, 'acknowledgements are append-only'); END;
CREATE TRIGGER acknowledgements_stay BEFORE DELETE ON acknowledgements
BEGIN SELECT RAISE(ABORT, 'acknowledgements are append-only'); END;
";

/// An alert that suspect values speak against cannot be confirmed.
const V3: &str = "
ALTER TABLE alerts ADD COLUMN unconfirmed_since INTEGER; -- when that was decided; none once it is confirmed or over
";

/// A value from the future waits for its time; what waits is written with the cursor behind which it came.
const V4: &str = "
CREATE TABLE ahead (
    observed_at INTEGER NOT NULL,
    datastream INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    value REAL,
    flag INTEGER NOT NULL,
    PRIMARY KEY (observed_at, datastream)
) WITHOUT ROWID;
";

/// An onset where nobody had looked before is the latest that it can be.
const V5: &str = "
ALTER TABLE alerts ADD COLUMN onset_at_latest INTEGER NOT NULL DEFAULT 0;
";

/// Files from here on carry the application id, which every migration sets.
const MARKED: &str = "";

/// The store is a subject of its own; it was a source called `store`. No data was called silence.
const V7: &str = "
UPDATE OR REPLACE engine_state SET subject = 'store' WHERE subject = 'source store';
UPDATE OR REPLACE heard SET subject = 'store' WHERE subject = 'source store';
UPDATE alerts SET kind = 'store_down', source = NULL WHERE kind = 'source_down' AND source = 'store';
UPDATE alerts SET kind = 'no_data' WHERE kind = 'silence';
DROP TRIGGER transitions_keep;
UPDATE transitions SET facts = json_set(facts, '$.kind', 'no_data', '$.rule.condition',
    json_object('no_data', json(json_extract(facts, '$.rule.condition.silence'))))
WHERE json_valid(facts) AND json_extract(facts, '$.kind') = 'silence';
UPDATE transitions SET reason = iif(reason = 'source_down', 'store_down', reason),
    facts = json_set(facts, '$.kind', 'store_down', '$.subject', 'store',
        '$.reason', iif(reason = 'source_down', 'store_down', reason),
        '$.rule.condition', json_object('store_down', json(json_extract(facts, '$.rule.condition.source_down'))))
WHERE json_valid(facts) AND json_extract(facts, '$.subject.source') = 'store';
CREATE TRIGGER transitions_keep BEFORE UPDATE ON transitions
BEGIN SELECT RAISE(ABORT, 'the decision log is append-only'); END;
";

/// An alert about no data was raised for the reason `stale`, which is what a value is.
const V8: &str = "
DROP TRIGGER transitions_keep;
UPDATE transitions SET reason = 'no_data',
    facts = iif(json_valid(facts), json_set(facts, '$.reason', 'no_data'), facts)
WHERE reason = 'stale';
CREATE TRIGGER transitions_keep BEFORE UPDATE ON transitions
BEGIN SELECT RAISE(ABORT, 'the decision log is append-only'); END;
";
