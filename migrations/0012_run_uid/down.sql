DROP TRIGGER run_has_a_uid;
DROP INDEX runs_by_uid;
ALTER TABLE runs DROP COLUMN uid;
