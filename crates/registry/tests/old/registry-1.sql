-- registry.db as version 0.1.0 wrote it through sqlx: three catalogues applied, a datastream renamed, an admin token.
PRAGMA foreign_keys = OFF;
PRAGMA journal_mode = WAL;
PRAGMA application_id = 1650551666;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE audit (
    revision INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    summary TEXT NOT NULL,
    difference TEXT NOT NULL
);
INSERT INTO "audit" VALUES(1,1795904764144,'{"kind":"command_line","name":"command line"}','7 ditambah, 0 diubah, 0 dihapus','+ city malang
+ agency dlh
+ station mlg-01
+ datastream mlg-01/do
+ instrument sonde
+ deployment mlg-01/do 2025-12-31T17:00:00Z
+ rule oxygen');
INSERT INTO "audit" VALUES(2,1795904764211,'{"kind":"command_line","name":"command line"}','0 ditambah, 1 diubah, 0 dihapus','~ rule oxygen: siaga.low.raise 2.1 -> 1.8');
INSERT INTO "audit" VALUES(3,1795904764284,'{"kind":"command_line","name":"command line"}','0 ditambah, 2 diubah, 0 dihapus','~ datastream mlg-01/do@50cm: berganti nama dari mlg-01/do, nomor 1 tetap
~ datastream mlg-01/do@50cm: interval_s 60 -> 30');
INSERT INTO "audit" VALUES(4,1795904764340,'{"kind":"command_line","name":"command line"}','token admin dipasang','~ admin_token_sha256');
CREATE TABLE datastream_alias (
    alias TEXT PRIMARY KEY,
    number INTEGER NOT NULL REFERENCES datastream_number (number)
) WITHOUT ROWID;
INSERT INTO "datastream_alias" VALUES('mlg-01/do',1);
CREATE TABLE datastream_number (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    unit TEXT NOT NULL,
    json TEXT NOT NULL,
    created_revision INTEGER NOT NULL,
    retired_revision INTEGER
);
INSERT INTO "datastream_number" VALUES(1,'mlg-01/do@50cm','mg/L','{"id":"mlg-01/do@50cm","interval_s":30,"was":["mlg-01/do"]}',1,NULL);
CREATE TABLE deployment_number (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    datastream INTEGER NOT NULL REFERENCES datastream_number (number),
    from_ms INTEGER NOT NULL,
    UNIQUE (datastream, from_ms)
);
INSERT INTO "deployment_number" VALUES(1,1,1767200400000);
CREATE TABLE item (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    position INTEGER NOT NULL,
    json TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
INSERT INTO "item" VALUES('agency','dlh',0,'{"id":"dlh","name":{"id":"DLH","en":"DLH"},"city":"malang"}',1);
INSERT INTO "item" VALUES('city','malang',0,'{"id":"malang","name":{"id":"Malang","en":"Malang"},"code":"35.73"}',1);
INSERT INTO "item" VALUES('deployment','mlg-01/do@50cm 2025-12-31T17:00:00Z',0,'{"datastream":"mlg-01/do@50cm","instrument":"sonde","from":"2025-12-31T17:00:00Z","to":null,"gain":1.0,"offset":0.0}',3);
INSERT INTO "item" VALUES('instrument','sonde',0,'{"id":"sonde","make":"A","model":"B","serial":"1"}',1);
INSERT INTO "item" VALUES('rule','oxygen',0,'{"id":"oxygen","name":{"id":"Oksigen","en":"Oksigen"},"target":{"datastream":"mlg-01/do@50cm"},"condition":{"threshold":{"direction":"below","siaga":{"low":{"raise":1.8,"clear":2.3}}}},"hold_s":0,"source":{"id":"x","en":"x"},"channels":[]}',3);
INSERT INTO "item" VALUES('station','mlg-01',0,'{"id":"mlg-01","name":{"id":"Satu","en":"Satu"},"agency":"dlh","kind":"water","latitude":-7.9,"longitude":112.6,"time_zone":"Asia/Jakarta"}',1);
CREATE TABLE revision (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL
);
INSERT INTO "revision" VALUES(1,4);
CREATE TABLE setting (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO "setting" VALUES('admin_token_sha256',X'02532B81E227B283AE3231202275000B478CE297DFDF968B133A56B709046A60');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('datastream_number',1);
INSERT INTO "sqlite_sequence" VALUES('deployment_number',3);
COMMIT;
