DROP INDEX observations_of_others;
ALTER TABLE observations DROP COLUMN zones;
ALTER TABLE observations DROP COLUMN zenith_fraction;
