UPDATE OR IGNORE legacy_rows SET copy = -copy WHERE copy < 0;

PRAGMA writable_schema = ON;

UPDATE sqlite_schema SET sql = replace(sql,
    'WHERE copy > 0 OR copy = 0 AND NOT EXISTS (', 'WHERE copy > 0 OR NOT EXISTS (')
WHERE type = 'view' AND name = 'registro_historico';

PRAGMA writable_schema = RESET;

CREATE VIEW celaje_changed AS SELECT 1;
DROP VIEW celaje_changed;
