-- Where the writer has the file, and whether the file alone has its rows. While a writer is at work,
-- the file itself says that it is not whole, and only the log beside it says that it is: so whoever
-- sees the file without its log is told.
ALTER TABLE celaje_writer ADD COLUMN path TEXT NOT NULL DEFAULT ''; -- absolute, without links
ALTER TABLE celaje_writer ADD COLUMN whole INTEGER NOT NULL DEFAULT 1 CHECK (whole IN (0, 1));
-- How often the file was marked as not whole: tells it from an older copy that was put over it.
ALTER TABLE celaje_writer ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;
