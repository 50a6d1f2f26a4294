-- The record of cloud cover.
--
-- Moments: slot_local is the station's clock, 'YYYY-MM-DDTHH:MM'; slot_utc the same instant,
-- 'YYYY-MM-DDTHH:MM:SSZ'; every other moment is UTC as CURRENT_TIMESTAMP writes it,
-- 'YYYY-MM-DD HH:MM:SS'.
-- Nothing here needs an SQLite newer than 3.8 to be read, so that other tools can open the file.

-- Cameras. The first station of a file is its home: the one that registro_historico shows.
CREATE TABLE stations (
    id        TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    name      TEXT    NOT NULL,
    latitude  REAL    NOT NULL, -- degrees, north positive
    longitude REAL    NOT NULL, -- degrees, east positive
    time_zone TEXT    NOT NULL, -- IANA name or offset such as -03:00
    is_home   INTEGER NOT NULL DEFAULT 0 CHECK (is_home IN (0, 1))
) WITHOUT ROWID;

CREATE UNIQUE INDEX stations_home ON stations (is_home) WHERE is_home = 1;

-- What a program did: one row for each time it was asked to fill a range.
CREATE TABLE runs (
    id          INTEGER PRIMARY KEY,
    station     TEXT    NOT NULL REFERENCES stations (id),
    range_from  TEXT    NOT NULL, -- station local time, included
    range_to    TEXT    NOT NULL, -- station local time, included
    total       INTEGER NOT NULL DEFAULT 0,
    new         INTEGER NOT NULL DEFAULT 0,
    duplicates  INTEGER NOT NULL DEFAULT 0,
    missed      INTEGER NOT NULL DEFAULT 0,
    status      TEXT    NOT NULL DEFAULT 'running'
                CHECK (status IN ('running', 'finished', 'interrupted', 'failed')),
    started_at  TEXT    NOT NULL,
    finished_at TEXT,
    version     TEXT    NOT NULL, -- of the program
    engine      TEXT    NOT NULL, -- inference engine, its version and device
    model       TEXT    NOT NULL  -- name and version
);

-- One judged picture a slot. An ordinary rowid table on purpose: the key's index then is a small tree of
-- its own that answers "which slots are stored" without touching the wide rows.
CREATE TABLE observations (
    station         TEXT    NOT NULL REFERENCES stations (id),
    slot_local      TEXT    NOT NULL,
    slot_utc        TEXT, -- NULL until Celaje next opens a file that another tool wrote to
    file_name       TEXT    NOT NULL,
    url             TEXT,
    okta            INTEGER NOT NULL, -- WMO code 2700: eighths, or 9 where the sky cannot be seen
    cloud_fraction  REAL, -- 0 to 1; NULL when the model only classifies, and with okta 9
    confidence      REAL, -- probability that okta is right, 0 to 1; NULL with okta 9
    category        TEXT, -- SKC FEW SCT BKN OVC, OBSC with okta 9
    description     TEXT,
    quality         TEXT, -- 'ok', or flags with commas between them
    model           TEXT, -- name and version
    model_sha256    TEXT,
    solar_elevation REAL, -- degrees
    day_phase       TEXT, -- day, twilight, night
    image_width     INTEGER, -- pixels
    image_height    INTEGER, -- pixels
    image_sha256    TEXT, -- of the picture's bytes
    created_at      TEXT DEFAULT CURRENT_TIMESTAMP,
    captured_at     TEXT, -- fecha_captura: slot_local, or what another tool wrote, be it NULL
    -- 'celaje': as this program wrote it. 'registro_historico': taken over from that table or
    -- written through that name; its texts are kept as they were, what it does not know is NULL.
    origin          TEXT    NOT NULL DEFAULT 'celaje',
    run_id          INTEGER REFERENCES runs (id),
    PRIMARY KEY (station, slot_local),
    UNIQUE (station, file_name),
    CONSTRAINT slot_is_a_minute CHECK (
        slot_local GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]'
    ),
    CONSTRAINT file_name_is_the_slots CHECK (
        file_name = substr(slot_local, 1, 5) || substr(slot_local, 6, 2)
            || substr(slot_local, 9, 2) || substr(slot_local, 12, 2)
            || substr(slot_local, 15, 2) || '.jpg'
    ),
    -- Only this program says 9: what other tools write goes by the table of the replaced system.
    CONSTRAINT okta_is_0_to_9 CHECK (
        okta IN (0, 1, 2, 3, 4, 5, 6, 7, 8) OR (okta = 9 AND origin = 'celaje')
    ),
    CONSTRAINT what_is_not_seen_has_no_amount CHECK (
        okta <> 9
        OR (cloud_fraction IS NULL AND confidence IS NULL AND category IS 'OBSC')
    ),
    CONSTRAINT fraction_is_0_to_1 CHECK (cloud_fraction BETWEEN 0 AND 1),
    CONSTRAINT phase_is_known CHECK (day_phase IN ('day', 'twilight', 'night')),
    CONSTRAINT origin_is_known CHECK (origin IN ('celaje', 'registro_historico')),
    CONSTRAINT celaje_rows_are_whole CHECK (
        origin <> 'celaje' OR (
            slot_utc IS NOT NULL AND url IS NOT NULL
            AND (okta = 9 OR (
                confidence IS NOT NULL AND confidence BETWEEN 0 AND 1
                AND category IS NOT NULL AND category IN ('SKC', 'FEW', 'SCT', 'BKN', 'OVC')
            ))
            AND description IS NOT NULL AND quality IS NOT NULL
            AND model IS NOT NULL AND model_sha256 IS NOT NULL
            AND solar_elevation IS NOT NULL AND day_phase IS NOT NULL
            AND image_width IS NOT NULL AND image_height IS NOT NULL
            AND image_sha256 IS NOT NULL AND created_at IS NOT NULL
            AND captured_at IS slot_local
        )
    )
);

-- registro_historico in the order of fecha_captura.
CREATE INDEX observations_by_capture ON observations (station, captured_at);

-- Rows that wait for their slot_utc: nearly always none.
CREATE INDEX observations_without_utc ON observations (station) WHERE slot_utc IS NULL;

-- Slots that were asked for and have no reading. source, layout and unasked tell for whom a miss is
-- settled: another source or another layout asks again.
CREATE TABLE misses (
    station     TEXT    NOT NULL REFERENCES stations (id),
    slot_local  TEXT    NOT NULL,
    slot_utc    TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    http_status INTEGER,
    attempts    INTEGER NOT NULL, -- requests of all runs together
    detail      TEXT    NOT NULL,
    last_tried  TEXT    NOT NULL,
    run_id      INTEGER REFERENCES runs (id), -- the last run that tried
    source      TEXT    NOT NULL, -- base address or folder that was asked, without secrets
    layout      TEXT    NOT NULL, -- as asked for: auto, year, root
    unasked     TEXT, -- the place that a miss in doubt was not looked for in: year, root
    PRIMARY KEY (station, slot_local),
    CONSTRAINT slot_is_a_minute CHECK (
        slot_local GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]'
    ),
    CONSTRAINT layout_is_known CHECK (layout IN ('auto', 'year', 'root')),
    CONSTRAINT unasked_is_a_place CHECK (unasked IN ('year', 'root'))
) WITHOUT ROWID;

-- A slot is in observations or in misses, never in both, whoever writes.
CREATE TRIGGER observation_ends_miss AFTER INSERT ON observations
BEGIN
    DELETE FROM misses WHERE station = NEW.station AND slot_local = NEW.slot_local;
END;

CREATE TRIGGER stored_slot_is_no_miss BEFORE INSERT ON misses
WHEN EXISTS (
    SELECT 1 FROM observations WHERE station = NEW.station AND slot_local = NEW.slot_local
)
BEGIN
    SELECT raise(IGNORE);
END;

-- Where a server kept the pictures of a year when last looked.
CREATE TABLE year_layouts (
    station TEXT    NOT NULL REFERENCES stations (id),
    year    INTEGER NOT NULL,
    layout  TEXT    NOT NULL CHECK (layout IN ('year', 'root')),
    seen_at TEXT    NOT NULL,
    PRIMARY KEY (station, year)
) WITHOUT ROWID;

-- Rows of the replaced system that are no reading of a slot: their file name names none, or their
-- okta is none. Kept as they were, in columns of the types they had (SQLite reads the two halves of
-- registro_historico through their indices only if their types agree). copy counts rows of one
-- file name, which a table without a key can hold.
CREATE TABLE legacy_rows (
    id              INTEGER PRIMARY KEY,
    copy            INTEGER NOT NULL DEFAULT 0,
    filename        TEXT,
    url_imagen      TEXT,
    fecha_captura   TEXT,
    octas_predichas INTEGER,
    confianza       REAL,
    categoria       TEXT,
    descripcion     TEXT,
    modelo_version  TEXT,
    created_at      TEXT,
    UNIQUE (filename, copy)
);

CREATE INDEX legacy_rows_by_capture ON legacy_rows (fecha_captura);
