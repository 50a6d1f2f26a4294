-- A run keeps its identity when the rows of its file are merged into another one, where its id may be
-- taken: random, 32 hexadecimal digits.
ALTER TABLE runs ADD COLUMN uid TEXT;

UPDATE runs SET uid = lower(hex(randomblob(16)));

CREATE UNIQUE INDEX runs_by_uid ON runs (uid);

-- Whoever writes the run.
CREATE TRIGGER run_has_a_uid AFTER INSERT ON runs
WHEN NEW.uid IS NULL
BEGIN
    UPDATE runs SET uid = lower(hex(randomblob(16))) WHERE id = NEW.id;
END;
