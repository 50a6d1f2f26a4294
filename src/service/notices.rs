//! What the user is told beside a result: of a record when it is opened, of a run when it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use crate::camera::Source;
use crate::camera::fault::AccessFault;
use crate::camera::http::{self, IgnoredProxy, public_part, without_secrets};
use crate::camera::picture_folder::{DoublePictures, PictureFolder};
use crate::service::RunReport;
use crate::settings::Settings;
use crate::store::error::CopyReason;
use crate::store::{DatabaseOpening, InterruptedRun, ReadableRecord, TakeoverPlan, TakeoverReport};
use celaje_sky::naming::preset::NameClock;
use celaje_sky::outcome::MissReason;
use celaje_sky::say;
use celaje_sky::slot::SlotRange;
use celaje_sky::station::{PicturePlace, Station};
use celaje_sky::text::{Lang, Text};
use celaje_sky::ticks::{SlotSchedule, TickPolicy};

/// Closed folders that are named one by one.
const MOST_CLOSED: usize = 8;

/// Notices about a record that was opened for writing.
pub fn opened(opened: &DatabaseOpening) -> Vec<Text> {
    let adopted = opened.adopted.iter().map(adopted_text);
    adopted.chain(opened.cut_off.iter().map(cut_off_text)).collect()
}

/// That a copy of the record at `db` is read.
pub fn copied(db: &Path, record: &ReadableRecord) -> Option<Text> {
    let copy = record.copy()?;
    let (db, folder) = (db.display(), copy.folder().display());
    let megabytes = copy.bytes as f64 / 1e6;
    let (english, spanish) = match copy.reason {
        CopyReason::OlderForm => ("is of an older form", "tiene una forma anterior"),
        CopyReason::Journal => {
            ("has a transaction to be undone", "tiene una transacción por deshacer")
        }
    };
    Some(say!(
        "the database '{db}' {english} and lies where nothing may be written: a copy of it as it \
         is now ({megabytes:.1} MB, in '{folder}') is read, and removed at the end",
        "la base de datos '{db}' {spanish} y está donde no se puede escribir: se lee una copia de \
         como está ahora ({megabytes:.1} MB, en '{folder}'), que se borra al final"
    ))
}

/// Whose camera is asked where nothing says so, before it is.
pub fn whose_camera(settings: &Settings) -> Option<Text> {
    if !settings.is_nobodys {
        return None;
    }
    let Station { name, url_base, .. } = &settings.station;
    let address = public_part(url_base);
    Some(say!(
        "there is no celaje.toml here, so the camera of {name} at {address} is asked; \
         `celaje init` sets up your own",
        "aquí no hay un celaje.toml, así que se le pide a la cámara de {name}, en {address}; \
         `celaje init` configura la suya"
    ))
}

/// What `celaje serve` works with, a sentence a line: the record, the stations with their cameras
/// and next slots, the model and its engine, the queue.
pub fn at_work(settings: &Settings, model: &str, engine: &str, now: DateTime<Utc>) -> Vec<Text> {
    let db = settings.db.display();
    let mut all = vec![say!(
        "record '{db}', model {model} on {engine}",
        "registro '{db}', modelo {model} en {engine}"
    )];
    for station in &settings.stations {
        let policy = TickPolicy::of(station);
        let schedule = SlotSchedule::new(station.minutes.clone(), station.zone, policy, now);
        let next = schedule.next_slot(now).map(|slot| slot.to_string()).unwrap_or_default();
        let (id, place) = (&station.id, place_of(station));
        all.push(say!(
            "station '{id}': camera {place}, next slot {next}",
            "estación '{id}': cámara {place}, próximo turno {next}"
        ));
        if station.has_only_the_latest() {
            all.push(say!(
                "station '{id}': its camera has its latest picture alone, so nothing is filled in \
                 of the past",
                "estación '{id}': su cámara solo tiene la última imagen, así que no se completa \
                 nada hacia atrás"
            ));
        }
    }
    if let Some(queue) = &settings.queue {
        all.push(say!(
            "workers fill the past (celaje worker), by the queue {queue}",
            "el pasado lo completan trabajadores (celaje worker), por la cola {queue}"
        ));
    }
    all
}

/// Where a station's pictures are, without what may be secret.
fn place_of(station: &Station) -> String {
    match station.source.as_ref().map(|source| &source.place) {
        Some(PicturePlace::Folder(folder)) => folder.display().to_string(),
        Some(PicturePlace::Address(address)) => public_part(address),
        None => public_part(&station.url_base),
    }
}

/// Pictures of a folder that are of no slot, since the station has none at their minute.
pub fn off_minute(folder: Option<&PictureFolder>, station: &Station) -> Option<Text> {
    let minutes = station.minutes.as_slice();
    let left = folder?.moments().filter(|moment| !station.minutes.contains(*moment)).count();
    let minutes: Vec<_> = minutes.iter().map(u32::to_string).collect();
    let minutes = minutes.join(", ");
    (left > 0).then(|| {
        say!(
            "{left} pictures of the folder are left out: the station's are of the minutes \
             {minutes}; set valid_minutes in celaje.toml to read them",
            "{left} imágenes de la carpeta quedan afuera: las de la estación son de los minutos \
             {minutes}; ponga valid_minutes en celaje.toml para leerlas"
        )
    })
}

/// That the station's clock is set back within a range: names of the time that comes twice.
pub fn set_back(range: SlotRange, station: &Station) -> Option<Text> {
    let zone = station.zone;
    let by_utc = station.source.as_ref().is_some_and(|source| source.clock == NameClock::Utc);
    let (from, to) = (zone.instant(range.from())?, zone.instant(range.end())?);
    // An hour before: a range may begin in the time that comes twice.
    let (at, by) = zone.set_back(from - TimeDelta::hours(1), to).filter(|_| !by_utc)?;
    let form = "%Y-%m-%dT%H:%M";
    let (first, at, by) = ((at - by).format(form), at.format(form), by.num_minutes());
    Some(say!(
        "the clock of {zone} is set back by {by} minutes at {at}: of the pictures whose names are \
         from {first} to then only those of the second time are read; let the camera name them by \
         UTC, and say clock = \"utc\", to have both",
        "el reloj de {zone} se atrasa {by} minutos a las {at}: de las imágenes con nombres desde \
         {first} hasta entonces solo se leen las de la segunda vez; haga que la cámara las nombre \
         en UTC, y ponga clock = \"utc\", para tener las dos"
    ))
}

/// Folders of a folder that cannot be listed: the first ones.
pub fn closed(folder: Option<&PictureFolder>) -> Vec<Text> {
    let closed = folder.into_iter().flat_map(PictureFolder::closed);
    closed.take(MOST_CLOSED).map(AccessFault::text).collect()
}

/// Pictures of a folder that others stand for.
pub fn doubles(folder: Option<&PictureFolder>) -> Option<Text> {
    let DoublePictures { count, first } = folder?.doubles();
    let (left, taken) = first.as_ref()?;
    let (left, taken) = (left.display(), taken.display());
    Some(say!(
        "{count} pictures of the folder are left out, since another one has the same moment in its \
         name: the one nearest to the top counts, then the first by its path ('{taken}', not \
         '{left}')",
        "{count} imágenes de la carpeta quedan afuera, porque otra lleva el mismo momento en su \
         nombre: cuenta la más cercana a la carpeta indicada y, de ellas, la primera por su ruta \
         ('{taken}', no '{left}')"
    ))
}

/// Notices about a run of `station` that has ended; its pictures came from `folder`, or else from
/// its address.
pub fn ended(
    report: &RunReport,
    found: &BTreeSet<AccessFault>,
    folder: Option<&Path>,
    station: &Station,
) -> Vec<Text> {
    let all = [misses(report), kept(report), pending(report), not_due(report)];
    let mut all: Vec<_> = all.into_iter().flatten().collect();
    // What explains it is told in its place.
    if faults(found, report).is_empty() {
        all.extend(no_picture(report, folder, station));
    }
    all
}

/// Why no picture could be looked for at all, though the place can be reached.
pub fn hidden(found: &BTreeSet<AccessFault>, report: &RunReport) -> Option<Text> {
    report.found_none()?;
    found.iter().find(|fault| fault.hides_all()).map(AccessFault::text)
}

/// What the takeover of the file `db` does to it, before it does. `now`: it is about to.
pub fn takeover(db: &Path, plan: &TakeoverPlan, now: bool) -> Text {
    let (db, rows) = (db.display(), plan.rows);
    let Text { en, es } = match now {
        true => say!("they are taken over now", "se incorporan ahora"),
        false => say!("the first backfill takes them over", "el primer backfill las incorpora"),
    };
    let parts = [old_table(plan), foreign_keys(plan), broken(plan)];
    let all = |lang| parts.each_ref().map(|part| part.get(lang)).concat();
    let (more, resto) = (all(Lang::En), all(Lang::Es));
    say!(
        "'{db}' is the replaced system's, with {rows} rows; {en}, and a copy of the file is \
        kept{more}",
        "'{db}' es del sistema anterior, con {rows} filas; {es}, y se guarda una copia del \
        archivo{resto}"
    )
}

/// What becomes of the replaced system's table; empty where the record has all of it.
fn old_table(plan: &TakeoverPlan) -> Text {
    let parts = [
        (&plan.columns, say!("columns", "columnas")),
        (&plan.indices, say!("indices", "índices")),
        (&plan.rules, say!("rules", "reglas")),
        (&plan.triggers, say!("triggers", "disparadores")),
        (&plan.foreign_keys, say!("foreign keys with", "claves foráneas con")),
    ];
    let list = |lang| {
        let named = parts.iter().filter(|(names, _)| !names.is_empty());
        let named = named.map(|(names, what)| format!("{} {}", what.get(lang), names.join(", ")));
        named.collect::<Vec<_>>().join("; ")
    };
    let (en, es) = (list(Lang::En), list(Lang::Es));
    match &plan.stays_as {
        Some(name) if en.is_empty() => say!(
            ". Its table stays in the file as {name}",
            ". Su tabla queda en el archivo como {name}"
        ),
        Some(name) => say!(
            ". Its table stays in the file as {name}, with what the view registro_historico has \
            not: {en}",
            ". Su tabla queda en el archivo como {name}, con lo que la vista registro_historico \
            no tiene: {es}"
        ),
        None if en.is_empty() => say!("", ""),
        None => say!(
            ", and only there are these of the old table: {en}; make anew what you need \
            (docs/record.md)",
            ", y solo allí queda esto de la tabla anterior: {es}; rehaga lo que necesite \
            (docs/es/registro.md)"
        ),
    }
}

/// What becomes of the user's foreign keys.
fn foreign_keys(plan: &TakeoverPlan) -> Text {
    match &plan.stays_as {
        Some(name) if !plan.foreign_keys.is_empty() => say!(
            ". No row is touched: these keys point to {name} and its rows of today from then on, \
            and with PRAGMA foreign_keys = ON SQLite refuses one that names a newer reading; make \
            such a table anew without REFERENCES (docs/record.md)",
            ". No se toca ninguna fila: desde entonces esas claves apuntan a {name} y sus filas \
            de hoy, y con PRAGMA foreign_keys = ON SQLite rechaza la que nombre una lectura más \
            nueva; rehaga esa tabla sin REFERENCES (docs/es/registro.md)"
        ),
        _ => say!("", ""),
    }
}

/// The user's objects that a takeover breaks, and what to do.
fn broken(plan: &TakeoverPlan) -> Text {
    let list: Vec<_> =
        plan.broken.iter().map(|it| format!("{} ({})", it.name, it.reason)).collect();
    let (list, name) = (list.join(", "), plan.stays_as.as_deref().unwrap_or_default());
    if list.is_empty() {
        return say!("", "");
    }
    say!(
        ". THESE VIEWS, TRIGGERS AND VIRTUAL TABLES FAIL OR READ SOMETHING ELSE from then on: \
        {list}; make them anew with the columns of registro_historico, or with {name} \
        (docs/record.md)",
        ". ESTAS VISTAS, DISPARADORES Y TABLAS VIRTUALES FALLAN O LEEN OTRA COSA desde entonces: \
        {list}; rehágalos con las columnas de registro_historico, o con {name} \
        (docs/es/registro.md)"
    )
}

/// A station whose camera may show any certificate.
pub fn any_certificate(station: &Station) -> Option<Text> {
    let id = &station.id;
    station.trust.anything.then(|| {
        say!(
            "insecure is on for station '{id}': its camera's certificate is not checked, and \
             whoever is on the way can give false pictures; name the certificate as ca_file",
            "insecure está activado para la estación '{id}': no se controla el certificado de su \
             cámara, y quien esté en el camino puede dar imágenes falsas; indique el certificado \
             como ca_file"
        )
    })
}

/// Proxies that the environment names and that requests do without.
pub fn ignored_proxies(source: &Source) -> Vec<Text> {
    let ignored = source.base().map(http::ignored_proxies).unwrap_or_default();
    let told = ignored.into_iter().map(|IgnoredProxy { variable, scheme }| match scheme.as_str() {
        "" => say!(
            "the proxy in {variable} cannot be read, and the camera is asked without it; write \
             http://host:port or socks5h://host:port",
            "no se entiende el proxy de {variable}, y a la cámara se le pide sin él; escriba \
             http://servidor:puerto o socks5h://servidor:puerto"
        ),
        _ => say!(
            "the proxy in {variable} is of a kind that is not known, {scheme}://, and the camera \
             is asked without it; write http://host:port or socks5h://host:port",
            "el proxy de {variable} es de un tipo que no se conoce, {scheme}://, y a la cámara se \
             le pide sin él; escriba http://servidor:puerto o socks5h://servidor:puerto"
        ),
    });
    told.collect()
}

/// What a person has to mend before the camera gives pictures.
pub fn faults(found: &BTreeSet<AccessFault>, report: &RunReport) -> Vec<AccessFault> {
    let some = report.found_none().is_none();
    let told = found.iter().filter(|fault| !(some && fault.may_be_of_one_picture()));
    told.cloned().collect()
}

/// The rows that were taken over from the replaced system.
fn adopted_text(adopted: &TakeoverReport) -> Text {
    let TakeoverReport { rows, placed, kept_verbatim, copy } = adopted;
    let copy = copy.display();
    say!(
        "the replaced system's {rows} rows were taken over ({placed} as observations, \
         {kept_verbatim} kept as they were); a copy of the file is '{copy}'",
        "se tomaron las {rows} filas del sistema anterior ({placed} como observaciones, \
         {kept_verbatim} tal como estaban); hay una copia del archivo en '{copy}'"
    )
}

/// A run whose process died without closing it.
fn cut_off_text(cut_off: &InterruptedRun) -> Text {
    let InterruptedRun { from, to, counts, station, .. } = cut_off;
    let (new, missed, total) = (counts.new, counts.missed, counts.total);
    say!(
        "the process of an earlier run of station '{station}' from {from} to {to} died: of its \
         {total} slots it had stored {new} and missed {missed}; the same command does the rest",
        "el proceso de una corrida anterior de la estación '{station}' de {from} a {to} murió: \
         de sus {total} turnos había guardado {new} y perdido {missed}; \
         la misma orden hace el resto"
    )
}

/// The misses by reason.
pub fn misses(report: &RunReport) -> Option<Text> {
    let by_reason = report.end.ledger.missed_by_reason();
    if by_reason.is_empty() {
        return None;
    }
    let list = by_reason_text(by_reason);
    let known = report.end.skipped_misses();
    Some(if known > 0 {
        say!(
            "missed: {list} ({known} known from earlier runs; \
             --retry-missed asks for them again)",
            "fallidos: {list} ({known} ya sabidos; --retry-missed los pide de nuevo)"
        )
    } else {
        say!("missed: {list}", "fallidos: {list}")
    })
}

fn by_reason_text(by_reason: &BTreeMap<MissReason, u64>) -> String {
    let list: Vec<String> =
        by_reason.iter().map(|(reason, n)| format!("{}={n}", reason.as_str())).collect();
    list.join(", ")
}

/// Stored slots that `--reprocess` asked for in vain.
fn kept(report: &RunReport) -> Option<Text> {
    let by_reason = report.end.ledger.kept_by_reason();
    let kept: u64 = by_reason.values().sum();
    let list = by_reason_text(by_reason);
    (kept > 0).then(|| {
        say!(
            "{kept} of the duplicates were asked for in vain and keep their rows: {list}",
            "{kept} de los duplicados se pidieron en vano y conservan su fila: {list}"
        )
    })
}

/// Slots that an interrupted run did not come to.
fn pending(report: &RunReport) -> Option<Text> {
    let pending = report.pending();
    (pending > 0).then(|| {
        say!(
            "{pending} slots of the range are left; the same command goes on with them",
            "quedan {pending} turnos del rango; la misma orden sigue con ellos"
        )
    })
}

/// Slots whose pictures are not out yet.
fn not_due(report: &RunReport) -> Option<Text> {
    let pending = report.not_due;
    (pending > 0).then(|| {
        say!(
            "pending: {pending} slots of the range are not due yet",
            "pendientes: {pending} turnos del rango todavía no están disponibles"
        )
    })
}

/// No slot had a picture: the address may be wrong. An unreachable host is an error of its own.
fn no_picture(report: &RunReport, folder: Option<&Path>, station: &Station) -> Option<Text> {
    let slots = report.found_none()?;
    if report.host_unreachable() {
        return None;
    }
    let set_by = match (&station.source, folder) {
        (Some(_), Some(_)) => "[station.source], --dir",
        (Some(_), None) => "[station.source]",
        (None, Some(_)) => "--dir",
        (None, None) => "--url-base, --layout",
    };
    Some(if let Some(folder) = folder {
        let folder = folder.display();
        say!(
            "NO PICTURE was found in the folder '{folder}' (slots looked for: {slots}); \
             if there should be some, check {set_by}, --desde and --hasta",
            "NO SE HALLÓ NINGUNA IMAGEN en la carpeta '{folder}' (turnos buscados: {slots}); \
             si debería haberlas, revise {set_by}, --desde y --hasta"
        )
    } else {
        let address = &station.url_base;
        let base = url::Url::parse(address)
            .map_or_else(|_| public_part(address), |url| without_secrets(&url));
        say!(
            "NO PICTURE was found at '{base}' (slots asked for: {slots}); \
             if there should be some, check {set_by}, --desde and --hasta",
            "NO SE HALLÓ NINGUNA IMAGEN en '{base}' (turnos pedidos: {slots}); \
             si debería haberlas, revise {set_by}, --desde y --hasta"
        )
    })
}
