-- Cloud fractions of parts of the sky, beside that of the whole: of the cap around the zenith, and of the
-- zones that the settings draw. NULL without a lens, without zones, and with okta 9.
ALTER TABLE observations ADD COLUMN
    zenith_fraction REAL CHECK (zenith_fraction BETWEEN 0 AND 1);
ALTER TABLE observations ADD COLUMN
    zones TEXT; -- a JSON object: the fraction of each zone by its name, null where no sky is seen

-- Where the readings of other programs end: without it, a chart would look through all rows.
CREATE INDEX observations_of_others ON observations (station, slot_local) WHERE origin <> 'celaje';
