DROP TABLE celaje_writer;
