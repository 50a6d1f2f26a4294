DROP TRIGGER range_is_of_its_reading;
ALTER TABLE observations DROP COLUMN model_okta_high;
ALTER TABLE observations DROP COLUMN model_okta_low;
ALTER TABLE observations DROP COLUMN model_confidence;
ALTER TABLE observations DROP COLUMN calibration_id;
ALTER TABLE observations DROP COLUMN okta_high;
ALTER TABLE observations DROP COLUMN okta_low;
DROP TABLE celaje_calibrations;
DROP TABLE celaje_labels;
