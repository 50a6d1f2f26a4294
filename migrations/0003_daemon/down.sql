DROP TABLE shadow_observations;
ALTER TABLE runs DROP COLUMN kind;
