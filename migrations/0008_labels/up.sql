-- How right the readings are at a station: what people saw in its pictures, and what follows.

-- A label is what one observer saw in one picture, without having seen the reading.
CREATE TABLE celaje_labels (
    station      TEXT    NOT NULL REFERENCES stations (id),
    slot_local   TEXT    NOT NULL,
    observer     TEXT    NOT NULL, -- who
    okta         INTEGER, -- WMO code 2700: eighths, or 9 where the sky cannot be seen; NULL: cannot tell
    draw         TEXT    NOT NULL, -- random: drawn by chance; unsure: chosen for its low confidence
    image_sha256 TEXT, -- of the picture's bytes, as its row had it
    created_at   TEXT    NOT NULL,
    PRIMARY KEY (station, slot_local, observer),
    CONSTRAINT slot_is_a_moment CHECK (
        slot_local GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]'
        OR slot_local GLOB
            '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]'
    ),
    CONSTRAINT observer_has_a_name CHECK (trim(observer) <> ''),
    CONSTRAINT okta_is_0_to_9 CHECK (okta IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)),
    CONSTRAINT draw_is_known CHECK (draw IN ('random', 'unsure'))
) WITHOUT ROWID;

-- A model's confidence c becomes that of the station: logit c' = intercept + slope * logit c. The
-- newest row of a station and a model holds.
CREATE TABLE celaje_calibrations (
    id           INTEGER PRIMARY KEY,
    station      TEXT    NOT NULL REFERENCES stations (id),
    model        TEXT    NOT NULL, -- name and version
    model_sha256 TEXT    NOT NULL,
    intercept    REAL    NOT NULL,
    slope        REAL    NOT NULL,
    widening     INTEGER NOT NULL, -- oktas by which a range is widened at either end
    labels       INTEGER NOT NULL, -- that it was fitted to; 0: the model's own confidence again
    created_at   TEXT    NOT NULL,
    CONSTRAINT slope_keeps_the_order CHECK (slope >= 0),
    CONSTRAINT widening_is_0_to_8 CHECK (widening BETWEEN 0 AND 8)
);

CREATE INDEX celaje_calibrations_by_model ON celaje_calibrations (station, model_sha256);

-- The oktas among which the true one is with a probability of 90 %. NULL in rows of other tools and
-- in those that were written before this column was there.
ALTER TABLE observations ADD COLUMN okta_low INTEGER CHECK (okta_low BETWEEN 0 AND 8);
ALTER TABLE observations ADD COLUMN okta_high INTEGER CHECK (okta_high BETWEEN okta_low AND 8);

-- What the model itself said, of a row whose confidence and range are the station's calibration's.
ALTER TABLE observations ADD COLUMN calibration_id INTEGER REFERENCES celaje_calibrations (id);
ALTER TABLE observations ADD COLUMN model_confidence REAL
    CHECK (model_confidence BETWEEN 0 AND 1);
ALTER TABLE observations ADD COLUMN model_okta_low INTEGER;
ALTER TABLE observations ADD COLUMN model_okta_high INTEGER;

-- Another tool's okta or confidence has no range and no calibration.
CREATE TRIGGER range_is_of_its_reading
AFTER UPDATE OF okta, confidence, model ON observations
WHEN NEW.origin = 'registro_historico'
    AND (NEW.okta_low IS NOT NULL OR NEW.calibration_id IS NOT NULL)
    AND (NEW.okta IS NOT OLD.okta OR NEW.confidence IS NOT OLD.confidence
        OR NEW.model IS NOT OLD.model)
BEGIN
    UPDATE observations SET
        okta_low = NULL, okta_high = NULL, calibration_id = NULL, model_confidence = NULL,
        model_okta_low = NULL, model_okta_high = NULL
    WHERE rowid = NEW.rowid;
END;
