//! How a database was lost to the process that writes it, and how that is told.

use std::path::{Path, PathBuf};

use celaje_sky::say;
use celaje_sky::text::Text;

/// How a database was lost to the process that writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What became of it.
    pub kind: LossKind,
    /// Where all that was stored is now; none where that cannot be told.
    pub at: Option<PathBuf>,
    /// Readings that the open runs of this process had stored.
    pub stored: u64,
}

/// What became of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossKind {
    /// It was moved.
    Moved,
    /// It was deleted.
    Deleted,
    /// Another file is in its place.
    Replaced,
    /// Something else was written into it.
    Overwritten,
    /// Its log was deleted.
    LogDeleted,
    /// Its log was emptied or cut.
    LogCut,
    /// Another process took it for abandoned.
    Taken,
}

impl Loss {
    /// What became of the database `path`, where what was stored is, and what to do.
    pub(super) fn text(&self, path: &Path) -> Text {
        let db = path.display();
        let Text { en: what, es: que } = match self.kind {
            LossKind::Moved => say!("was moved", "fue movida"),
            LossKind::Deleted => say!("was deleted", "fue borrada"),
            LossKind::Replaced => say!("was replaced", "fue reemplazada"),
            LossKind::Overwritten => {
                say!("was overwritten by another program", "fue sobrescrita por otro programa")
            }
            LossKind::LogDeleted => say!("lost its file '-wal'", "perdió su archivo '-wal'"),
            LossKind::LogCut => {
                say!("lost what was in its file '-wal'", "perdió lo que había en su archivo '-wal'")
            }
            LossKind::Taken => {
                say!("was taken over by another celaje", "fue tomada por otro celaje")
            }
        };
        let n = self.stored;
        let Text { en: place, es: lugar } = match (&self.at, self.kind) {
            (None, LossKind::Overwritten) => say!(
                "are lost where the file that is there now does not have them",
                "se perdieron si no están en el archivo que hay ahora"
            ),
            // As when its disk is taken away.
            (None, LossKind::Moved) => say!(
                "are in the file and its log, wherever these are now",
                "están en el archivo y su diario, dondequiera que estén ahora"
            ),
            (None, _) => say!("could not be saved", "no se pudieron salvar"),
            (Some(at), LossKind::Overwritten | LossKind::Taken) if at == path => {
                say!("are still in it", "siguen en ella")
            }
            (Some(at), _) if at == path => {
                say!("are in its place again", "están de nuevo en su lugar")
            }
            (Some(at), _) => {
                let at = at.display();
                say!("are in '{at}'", "están en '{at}'")
            }
        };
        say!(
            "the database '{db}' {what} while this program was writing to it; the {n} readings \
             that it had stored, and all before them, {place}; see to it: 'celaje serve' then goes \
             on by itself, another command is run again",
            "la base de datos '{db}' {que} mientras este programa la escribía; las {n} lecturas \
             que había guardado, y todas las anteriores, {lugar}; resuélvalo: «celaje serve» sigue \
             entonces por sí solo, otra orden se repite"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_taken_away_with_its_disk_is_not_said_to_be_lost() {
        let told = |kind| Loss { kind, at: None, stored: 3 }.text(Path::new("a.db"));
        assert!(told(LossKind::Moved).en.contains("3 readings"));
        assert!(told(LossKind::Moved).en.contains("are in the file and its log"));
        assert!(told(LossKind::Moved).es.contains("están en el archivo y su diario"));
        assert!(told(LossKind::Deleted).en.contains("could not be saved"));
    }
}
