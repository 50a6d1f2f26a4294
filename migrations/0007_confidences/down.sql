-- The view as 0002 made it.

DROP VIEW registro_historico;

CREATE VIEW registro_historico AS
SELECT
    file_name AS filename,
    url AS url_imagen,
    captured_at AS fecha_captura,
    okta AS octas_predichas,
    confidence AS confianza,
    category AS categoria,
    description AS descripcion,
    model AS modelo_version,
    created_at AS created_at
FROM observations
WHERE station = (SELECT id FROM stations WHERE is_home = 1) AND okta <> 9
UNION ALL
SELECT
    filename, url_imagen, fecha_captura, octas_predichas, confianza, categoria, descripcion,
    modelo_version, created_at
FROM legacy_rows
WHERE copy > 0 OR NOT EXISTS (
    SELECT 1 FROM observations
    WHERE station = (SELECT id FROM stations WHERE is_home = 1)
        AND file_name = legacy_rows.filename AND okta <> 9
);

CREATE TRIGGER registro_historico_insert_reading INSTEAD OF INSERT ON registro_historico
WHEN coalesce(
    NEW.filename >= '1900'
    AND NEW.filename = strftime(
        '%Y-%m%d%H%M.jpg',
        substr(NEW.filename, 1, 4) || '-' || substr(NEW.filename, 6, 2) || '-'
            || substr(NEW.filename, 8, 2) || 'T' || substr(NEW.filename, 10, 2) || ':'
            || substr(NEW.filename, 12, 2),
        '+0 days')
    AND CAST(NEW.octas_predichas AS TEXT) IN (
        '0', '1', '2', '3', '4', '5', '6', '7', '8',
        '0.0', '1.0', '2.0', '3.0', '4.0', '5.0', '6.0', '7.0', '8.0'),
    0)
BEGIN
    DELETE FROM observations
    WHERE station = (SELECT id FROM stations WHERE is_home = 1)
        AND file_name = NEW.filename AND okta = 9;

    INSERT INTO observations (
        station, slot_local, file_name, url, okta, confidence, category, description, model,
        created_at, captured_at, origin)
    SELECT
        stations.id, slot.local, NEW.filename, NEW.url_imagen, NEW.octas_predichas,
        NEW.confianza, NEW.categoria, NEW.descripcion, NEW.modelo_version,
        coalesce(NEW.created_at, CURRENT_TIMESTAMP), NEW.fecha_captura, 'registro_historico'
    FROM stations, (
        SELECT substr(NEW.filename, 1, 4) || '-' || substr(NEW.filename, 6, 2) || '-'
            || substr(NEW.filename, 8, 2) || 'T' || substr(NEW.filename, 10, 2) || ':'
            || substr(NEW.filename, 12, 2) AS local
    ) AS slot
    WHERE stations.is_home = 1;
END;

CREATE TRIGGER registro_historico_insert_other INSTEAD OF INSERT ON registro_historico
WHEN NOT coalesce(
    NEW.filename >= '1900'
    AND NEW.filename = strftime(
        '%Y-%m%d%H%M.jpg',
        substr(NEW.filename, 1, 4) || '-' || substr(NEW.filename, 6, 2) || '-'
            || substr(NEW.filename, 8, 2) || 'T' || substr(NEW.filename, 10, 2) || ':'
            || substr(NEW.filename, 12, 2),
        '+0 days')
    AND CAST(NEW.octas_predichas AS TEXT) IN (
        '0', '1', '2', '3', '4', '5', '6', '7', '8',
        '0.0', '1.0', '2.0', '3.0', '4.0', '5.0', '6.0', '7.0', '8.0'),
    0)
BEGIN
    -- Only there to fail where a reading of that file name is stored.
    INSERT INTO observations (station, slot_local, file_name, okta, captured_at, origin)
    SELECT
        station, slot_local, file_name, NEW.octas_predichas, captured_at, 'registro_historico'
    FROM observations
    WHERE station = (SELECT id FROM stations WHERE is_home = 1) AND file_name = NEW.filename
        AND okta <> 9;

    INSERT INTO legacy_rows (
        filename, url_imagen, fecha_captura, octas_predichas, confianza, categoria, descripcion,
        modelo_version, created_at)
    SELECT
        NEW.filename, NEW.url_imagen, NEW.fecha_captura, NEW.octas_predichas, NEW.confianza,
        NEW.categoria, NEW.descripcion, NEW.modelo_version,
        coalesce(NEW.created_at, CURRENT_TIMESTAMP)
    WHERE NOT EXISTS (
        SELECT 1 FROM observations
        WHERE station = (SELECT id FROM stations WHERE is_home = 1) AND file_name = NEW.filename
            AND okta <> 9
    );
END;

CREATE TRIGGER registro_historico_delete INSTEAD OF DELETE ON registro_historico
BEGIN
    DELETE FROM observations
    WHERE station = (SELECT id FROM stations WHERE is_home = 1)
        AND file_name = OLD.filename
        AND url IS OLD.url_imagen
        AND captured_at IS OLD.fecha_captura
        AND okta IS OLD.octas_predichas
        AND confidence IS OLD.confianza
        AND category IS OLD.categoria
        AND description IS OLD.descripcion
        AND model IS OLD.modelo_version
        AND created_at IS OLD.created_at;

    DELETE FROM legacy_rows
    WHERE filename IS OLD.filename
        AND url_imagen IS OLD.url_imagen
        AND fecha_captura IS OLD.fecha_captura
        AND octas_predichas IS OLD.octas_predichas
        AND confianza IS OLD.confianza
        AND categoria IS OLD.categoria
        AND descripcion IS OLD.descripcion
        AND modelo_version IS OLD.modelo_version
        AND created_at IS OLD.created_at;

    -- What the reading superseded goes with it.
    DELETE FROM legacy_rows
    WHERE filename = OLD.filename AND copy = 0 AND NOT EXISTS (
        SELECT 1 FROM observations
        WHERE station = (SELECT id FROM stations WHERE is_home = 1) AND file_name = OLD.filename
            AND okta <> 9
    );
END;

-- A reading that stays one: what the old columns do not know is kept, unless the change belies it.
CREATE TRIGGER registro_historico_update_reading INSTEAD OF UPDATE ON registro_historico
WHEN coalesce(
    NEW.filename = OLD.filename
    AND CAST(NEW.octas_predichas AS TEXT) IN (
        '0', '1', '2', '3', '4', '5', '6', '7', '8',
        '0.0', '1.0', '2.0', '3.0', '4.0', '5.0', '6.0', '7.0', '8.0')
    AND EXISTS (
        SELECT 1 FROM observations
        WHERE station = (SELECT id FROM stations WHERE is_home = 1)
            AND file_name = OLD.filename
            AND url IS OLD.url_imagen
            AND captured_at IS OLD.fecha_captura
            AND okta IS OLD.octas_predichas
            AND created_at IS OLD.created_at),
    0)
BEGIN
    UPDATE observations SET
        url = NEW.url_imagen,
        captured_at = NEW.fecha_captura,
        okta = NEW.octas_predichas,
        cloud_fraction = CASE WHEN okta = NEW.octas_predichas THEN cloud_fraction END,
        confidence = NEW.confianza,
        category = NEW.categoria,
        description = NEW.descripcion,
        model = NEW.modelo_version,
        model_sha256 = CASE WHEN model IS NEW.modelo_version THEN model_sha256 END,
        created_at = NEW.created_at,
        origin = 'registro_historico'
    WHERE station = (SELECT id FROM stations WHERE is_home = 1) AND file_name = OLD.filename;
END;

-- Any other change: the old row goes, the new one comes as if inserted.
CREATE TRIGGER registro_historico_update_other INSTEAD OF UPDATE ON registro_historico
WHEN NOT coalesce(
    NEW.filename = OLD.filename
    AND CAST(NEW.octas_predichas AS TEXT) IN (
        '0', '1', '2', '3', '4', '5', '6', '7', '8',
        '0.0', '1.0', '2.0', '3.0', '4.0', '5.0', '6.0', '7.0', '8.0')
    AND EXISTS (
        SELECT 1 FROM observations
        WHERE station = (SELECT id FROM stations WHERE is_home = 1)
            AND file_name = OLD.filename
            AND url IS OLD.url_imagen
            AND captured_at IS OLD.fecha_captura
            AND okta IS OLD.octas_predichas
            AND created_at IS OLD.created_at),
    0)
BEGIN
    DELETE FROM registro_historico
    WHERE filename IS OLD.filename
        AND url_imagen IS OLD.url_imagen
        AND fecha_captura IS OLD.fecha_captura
        AND octas_predichas IS OLD.octas_predichas
        AND confianza IS OLD.confianza
        AND categoria IS OLD.categoria
        AND descripcion IS OLD.descripcion
        AND modelo_version IS OLD.modelo_version
        AND created_at IS OLD.created_at;
    INSERT INTO registro_historico VALUES (
        NEW.filename, NEW.url_imagen, NEW.fecha_captura, NEW.octas_predichas, NEW.confianza,
        NEW.categoria, NEW.descripcion, NEW.modelo_version, NEW.created_at);
END;
