-- What an always-on program adds: what a run was for, and what a second model says.

-- backfill: a range that was asked for; live: the slots of one station as they came, in one life of
-- a process (its range grows); catch-up: what the process found missing.
ALTER TABLE runs ADD COLUMN kind TEXT NOT NULL DEFAULT 'backfill'
    CHECK (kind IN ('backfill', 'live', 'catch-up'));

-- What a shadow model made of the same picture: kept for comparison, no part of the record. A slot
-- may be here and not in observations, where the judging model failed.
CREATE TABLE shadow_observations (
    station        TEXT    NOT NULL REFERENCES stations (id),
    slot_local     TEXT    NOT NULL,
    model          TEXT    NOT NULL, -- name and version
    model_sha256   TEXT    NOT NULL,
    okta           INTEGER NOT NULL, -- WMO code 2700: eighths, or 9 where the sky cannot be seen
    cloud_fraction REAL, -- 0 to 1; NULL when the model only classifies, and with okta 9
    confidence     REAL, -- probability that okta is right, 0 to 1; NULL with okta 9
    created_at     TEXT    NOT NULL,
    PRIMARY KEY (station, slot_local, model),
    CONSTRAINT slot_is_a_minute CHECK (
        slot_local GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]'
    ),
    CONSTRAINT okta_is_0_to_9 CHECK (okta BETWEEN 0 AND 9),
    CONSTRAINT fraction_is_0_to_1 CHECK (cloud_fraction BETWEEN 0 AND 1),
    CONSTRAINT confidence_is_0_to_1 CHECK (confidence BETWEEN 0 AND 1)
) WITHOUT ROWID;
