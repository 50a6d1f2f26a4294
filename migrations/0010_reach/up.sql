-- What others know this record by, and what it has told them.

-- Made once: the ids of Alpaca devices and of the MQTT client follow from it.
CREATE TABLE celaje_identity (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    id   TEXT    NOT NULL -- random, 32 hexadecimal digits
);
INSERT INTO celaje_identity (only, id) VALUES (1, lower(hex(randomblob(16))));

-- Where each alert stands, so that a restart neither repeats nor loses one.
CREATE TABLE alert_states (
    alert      TEXT    NOT NULL, -- its name in the settings
    station    TEXT    NOT NULL,
    fired      INTEGER NOT NULL CHECK (fired IN (0, 1)), -- 0: armed
    since      TEXT    NOT NULL, -- when that began
    judged_to  TEXT    NOT NULL, -- the moment up to which readings and misses were judged
    sent_at    TEXT, -- when a message was last put into the outbox
    PRIMARY KEY (alert, station)
) WITHOUT ROWID;

-- Messages on their way. A row is written with the state that it follows from.
CREATE TABLE alert_outbox (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    alert      TEXT    NOT NULL,
    station    TEXT    NOT NULL,
    sender     TEXT    NOT NULL, -- its id in the settings
    message    TEXT    NOT NULL, -- what is told, as JSON
    created_at TEXT    NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    next_try   TEXT    NOT NULL,
    status     TEXT    NOT NULL DEFAULT 'waiting'
        CHECK (status IN ('waiting', 'sent', 'dropped')),
    last_error TEXT -- holds no secret
);
CREATE INDEX alert_outbox_by_status ON alert_outbox (status, next_try);
