-- Pictures with names and moments of their own.
--
-- A slot may lie within a minute: slot_local is then 'YYYY-MM-DDTHH:MM:SS', and a slot of a whole
-- minute stays 'YYYY-MM-DDTHH:MM', so that texts sort as the moments do. file_name stays the slot's
-- own name, which the seconds follow: no name of a row changes.
--
-- Only conditions are widened, so the rows need not be written anew: SQLite's documentation of
-- ALTER TABLE ("Making Other Kinds Of Table Schema Changes") has this way for it.
PRAGMA writable_schema = ON;

UPDATE sqlite_schema SET sql = replace(replace(sql,
    'slot_local GLOB ''[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]''
    )',
    'slot_local GLOB ''[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]''
        OR (slot_local GLOB ''????-??-??T??:??:[0-5][0-9]'' AND slot_local NOT GLOB ''*:00''
            AND substr(slot_local, 1, 16)
                GLOB ''[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]'')
    )'),
    '|| substr(slot_local, 15, 2) || ''.jpg''',
    '|| substr(slot_local, 15, 2) || substr(slot_local, 18, 2) || ''.jpg''')
WHERE type = 'table' AND name IN ('observations', 'misses', 'shadow_observations');

PRAGMA writable_schema = RESET;

-- When the picture was taken, 'YYYY-MM-DDTHH:MM:SSZ', where that is known beside the slot.
ALTER TABLE observations ADD COLUMN taken_at TEXT;
-- The name of the picture's file, where it is another one than file_name.
ALTER TABLE observations ADD COLUMN picture_name TEXT;
