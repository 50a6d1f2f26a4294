-- Who has the file open for writing: at most one row, which goes when that process closes the file.
-- A row that a killed process left is judged by the lock on the file, by the process itself, or by
-- the file's time of change, which a living writer renews.
CREATE TABLE celaje_writer (
    only      INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    pid       INTEGER NOT NULL,
    host      TEXT    NOT NULL,
    command   TEXT    NOT NULL,
    opened_at TEXT    NOT NULL,
    token     TEXT    NOT NULL, -- of this opening
    boot      TEXT    NOT NULL, -- of the kernel; empty where it has none
    machine   TEXT    NOT NULL, -- of the installation; empty where it has none
    process   TEXT    NOT NULL, -- namespace of pid, and when the process began
    inode     TEXT    NOT NULL, -- of the file: a copy of it has another one
    locks     INTEGER NOT NULL CHECK (locks IN (0, 1)) -- whether the writer holds a lock that works
);
