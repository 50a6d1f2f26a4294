DROP TABLE legacy_rows;
DROP TABLE year_layouts;
DROP TABLE misses;
DROP TABLE observations;
DROP TABLE runs;
DROP TABLE stations;
