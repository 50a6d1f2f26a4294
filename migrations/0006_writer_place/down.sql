ALTER TABLE celaje_writer DROP COLUMN mark;
ALTER TABLE celaje_writer DROP COLUMN whole;
ALTER TABLE celaje_writer DROP COLUMN path;
