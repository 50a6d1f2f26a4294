-- Slots within a minute have no place in the former tables.
DELETE FROM observations WHERE length(slot_local) > 16;
DELETE FROM misses WHERE length(slot_local) > 16;
DELETE FROM shadow_observations WHERE length(slot_local) > 16;
ALTER TABLE observations DROP COLUMN picture_name;
ALTER TABLE observations DROP COLUMN taken_at;

PRAGMA writable_schema = ON;

UPDATE sqlite_schema SET sql = replace(replace(sql,
    'slot_local GLOB ''[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]''
        OR (slot_local GLOB ''????-??-??T??:??:[0-5][0-9]'' AND slot_local NOT GLOB ''*:00''
            AND substr(slot_local, 1, 16)
                GLOB ''[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]'')
    )',
    'slot_local GLOB ''[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]''
    )'),
    '|| substr(slot_local, 15, 2) || substr(slot_local, 18, 2) || ''.jpg''',
    '|| substr(slot_local, 15, 2) || ''.jpg''')
WHERE type = 'table' AND name IN ('observations', 'misses', 'shadow_observations');

PRAGMA writable_schema = RESET;
