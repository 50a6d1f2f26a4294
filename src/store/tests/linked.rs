//! Files that are named by a symbolic link: SQLite keeps the log beside the file itself.

use super::displaced::{at_work, found, loss, readings};
use super::*;
use crate::store::{CommitMode, Loss, LossKind};

const INSERT: CommitMode = CommitMode::Insert;

/// A link `cielo.db` to the file `disk/real.db`, by way of a second link.
fn linked() -> (Place, PathBuf) {
    let place = Place::new();
    let disk = place.folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    std::os::unix::fs::symlink("disk/by.db", &place.db).unwrap();
    std::os::unix::fs::symlink("real.db", disk.join("by.db")).unwrap();
    (place, disk.join("real.db"))
}

fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).unwrap().is_symlink()
}

#[test]
fn a_linked_file_is_read_while_it_is_written_and_by_both_names() {
    let (place, real) = linked();
    let (mut database, run) = at_work(&place);
    for name in [&place.db, &real] {
        let mut reader = Reader::open(name).unwrap();
        assert_eq!(reader.stations().unwrap()[0].observations, 2, "{}", name.display());
        assert!(Database::open(name, &station()).is_err());
    }
    database.commit(run, INSERT, &[seen(nth(2), 3)]).unwrap();
    drop(database);
    assert_eq!((readings(&place.db), readings(&real)), (3, 3));
    assert_eq!(place.files(), ["cielo.db", "disk"]);
    assert!(is_link(&place.db) && !real.with_file_name("real.db-wal").exists());
}

#[test]
fn a_linked_file_that_is_deleted_is_put_back_behind_its_link() {
    let (place, real) = linked();
    let (mut database, run) = at_work(&place);
    std::fs::remove_file(&real).unwrap();
    assert_eq!(
        found(&mut database, run),
        Loss { kind: LossKind::Deleted, at: Some(real.clone()), stored: 2 }
    );
    assert!(is_link(&place.db));
    assert_eq!(readings(&real), 2);
    database.renew(&station()).unwrap();
    let run = begin(&mut database);
    database.commit(run, INSERT, &[seen(nth(2), 3)]).unwrap();
    drop(database);
    assert_eq!(readings(&real), 3);
}

#[test]
fn a_log_that_goes_and_contents_that_change_are_noticed_behind_a_link() {
    let (place, real) = linked();
    let (mut database, run) = at_work(&place);
    std::fs::remove_file(real.with_file_name("real.db-wal")).unwrap();
    assert_eq!(found(&mut database, run).kind, LossKind::LogDeleted);
    database.renew(&station()).unwrap();
    assert!(is_link(&place.db));
    let run = begin(&mut database);
    std::fs::write(&real, "").unwrap();
    let told = loss(&database.commit(run, INSERT, &[seen(nth(3), 3)]).unwrap_err());
    assert_eq!(told.kind, LossKind::Overwritten);
    while let Err(error) = database.renew(&station()) {
        assert_eq!(loss(&error).kind, LossKind::Overwritten, "{error}");
    }
    drop(database);
    assert!(is_link(&place.db));
    assert_eq!(readings(&real), 0);
}

#[test]
fn a_link_that_leads_elsewhere_is_another_file() {
    let (place, real) = linked();
    let (mut database, run) = at_work(&place);
    let other = place.folder.path().join("other.db");
    drop(Database::open(&other, &station()).unwrap());
    std::fs::remove_file(&place.db).unwrap();
    std::os::unix::fs::symlink(&other, &place.db).unwrap();
    assert_eq!(found(&mut database, run).kind, LossKind::Replaced);
    drop(database);
    assert_eq!((readings(&real), readings(&other)), (2, 0));
}

#[test]
fn a_takeover_behind_a_link_keeps_its_copy_beside_the_file() {
    let (place, real) = linked();
    run_sql(&mut other(&real), REPLACED);
    let opened = Database::open(&place.db, &station()).unwrap();
    let copy = opened.adopted.unwrap().copy;
    assert_eq!(copy.parent(), real.parent());
    assert!(is_link(&place.db));
}
