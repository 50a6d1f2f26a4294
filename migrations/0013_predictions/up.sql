-- Predictions of one picture in the replaced system's older form, whose key was the program's minute:
-- the newest is the reading, and registro_historico shows one row a picture, as today's form has it.
-- The others are kept in legacy_rows with a copy below 0, and never shown. A copy above 0 is a further
-- row of a table without a key, and shown as it was there.

-- Only a condition changes, so that the triggers of the view, the user's too, stay where they are.
PRAGMA writable_schema = ON;

UPDATE sqlite_schema SET sql = replace(sql,
    'WHERE copy > 0 OR NOT EXISTS (', 'WHERE copy > 0 OR copy = 0 AND NOT EXISTS (')
WHERE type = 'view' AND name = 'registro_historico';

PRAGMA writable_schema = RESET;

-- Tells other connections that the schema has changed.
CREATE VIEW celaje_changed AS SELECT 1;
DROP VIEW celaje_changed;

-- Those of files that were taken over before: only the older form gave moments with an offset and no
-- model.
UPDATE legacy_rows SET copy = -copy
WHERE copy > 0 AND modelo_version IS NULL
    AND filename GLOB '[0-9][0-9][0-9][0-9]-[01][0-9][0-3][0-9][0-2][0-9][0-5][0-9].jpg'
    AND created_at GLOB
    '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][T ][0-9][0-9]:[0-9][0-9]*[-+][0-9][0-9]:[0-9][0-9]';
