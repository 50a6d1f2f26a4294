//! What a run tells of on stderr beside its summary.

use std::collections::BTreeMap;
use std::path::Path;

use crate::camera::http::without_secrets;
use crate::commands::backfill::public_part;
use crate::commands::output;
use crate::service::RunReport;
use crate::store::{Adopted, CutOff, LeftBehind};
use celaje_sky::outcome::MissReason;
use celaje_sky::say;
use celaje_sky::text::{Lang, Text};

/// What became of the replaced system's rows.
pub(crate) fn adopted_text(adopted: &Adopted) -> Text {
    let Adopted {
        rows,
        placed,
        kept_verbatim,
        left,
        copy,
    } = adopted;
    let copy = copy.display();
    let Text { en, es } = left_text(left);
    say!(
        "the replaced system's {rows} rows were taken over ({placed} as observations, {kept_verbatim} kept as they were); a copy of the file is '{copy}'{en}",
        "se tomaron las {rows} filas del sistema anterior ({placed} como observaciones, {kept_verbatim} tal como estaban); hay una copia del archivo en '{copy}'{es}"
    )
}

/// What a run that was killed had done.
pub(crate) fn cut_off_text(cut_off: &CutOff) -> Text {
    let CutOff {
        from,
        to,
        counts,
        station,
        ..
    } = cut_off;
    let (new, missed, total) = (counts.new, counts.missed, counts.total);
    say!(
        "an earlier run of station '{station}' from {from} to {to} ended without a word: of its {total} slots it had stored {new} and missed {missed}; what is left is done by the same command",
        "una corrida anterior de la estación '{station}' de {from} a {to} terminó sin aviso: de sus {total} turnos había guardado {new} y perdido {missed}; lo que falta lo hace la misma orden"
    )
}

/// What of the replaced system's table is in the copy alone; nothing where all was taken over.
fn left_text(left: &LeftBehind) -> Text {
    let parts = [
        (&left.columns, say!("columns", "columnas")),
        (&left.indices, say!("indices", "índices")),
        (&left.triggers, say!("triggers", "disparadores")),
    ];
    let list = |lang| {
        let named = parts.iter().filter(|(names, _)| !names.is_empty());
        let named = named.map(|(names, what)| format!("{} {}", what.get(lang), names.join(", ")));
        named.collect::<Vec<_>>().join("; ")
    };
    if left.is_empty() {
        return say!("", "");
    }
    let (en, es) = (list(Lang::En), list(Lang::Es));
    say!(
        ", and only there are these of the old table: {en}",
        ", y solo allí queda esto de la tabla anterior: {es}"
    )
}

/// The misses by reason, on stderr.
pub(super) fn tell_misses(report: &RunReport) {
    let by_reason = report.end.ledger.missed_by_reason();
    if by_reason.is_empty() {
        return;
    }
    let list = by_reason_text(by_reason);
    let known = report.end.skipped_misses();
    let text = if known > 0 {
        say!(
            "missed: {list} ({known} known from earlier runs; --retry-missed asks for them again)",
            "fallidos: {list} ({known} ya sabidos; --retry-missed los pide de nuevo)"
        )
    } else {
        say!("missed: {list}", "fallidos: {list}")
    };
    output::note(text);
}

fn by_reason_text(by_reason: &BTreeMap<MissReason, u64>) -> String {
    let list: Vec<String> = by_reason
        .iter()
        .map(|(reason, n)| format!("{}={n}", reason.as_str()))
        .collect();
    list.join(", ")
}

/// The slots that `--reprocess` asked for in vain.
pub(super) fn tell_kept(report: &RunReport) {
    let by_reason = report.end.ledger.kept_by_reason();
    let kept: u64 = by_reason.values().sum();
    if kept > 0 {
        let list = by_reason_text(by_reason);
        output::note(say!(
            "{kept} of the duplicates were asked for in vain and keep their rows: {list}",
            "{kept} de los duplicados se pidieron en vano y conservan su fila: {list}"
        ));
    }
}

/// What an interrupted run leaves.
pub(super) fn tell_pending(report: &RunReport) {
    let pending = report.pending();
    if pending > 0 {
        output::note(say!(
            "{pending} slots of the range are left; the same command goes on with them",
            "quedan {pending} turnos del rango; la misma orden sigue con ellos"
        ));
    }
}

/// That nothing was found, which may be the address's fault.
pub(super) fn tell_none(report: &RunReport, folder: Option<&Path>, address: &str) {
    let Some(slots) = report.found_none() else {
        return;
    };
    if report.host_unreachable() {
        return; // an error says so
    }
    output::note(if let Some(folder) = folder {
        let folder = folder.display();
        say!(
            "NO PICTURE was found in the folder '{folder}' (slots looked for: {slots}); if there should be some, check --dir, --desde and --hasta",
            "NO SE HALLÓ NINGUNA IMAGEN en la carpeta '{folder}' (turnos buscados: {slots}); si debería haberlas, revise --dir, --desde y --hasta"
        )
    } else {
        let base = url::Url::parse(address)
            .map_or_else(|_| public_part(address), |url| without_secrets(&url));
        say!(
            "NO PICTURE was found at '{base}' (slots asked for: {slots}); if there should be some, check --url-base, --layout, --desde and --hasta",
            "NO SE HALLÓ NINGUNA IMAGEN en '{base}' (turnos pedidos: {slots}); si debería haberlas, revise --url-base, --layout, --desde y --hasta"
        )
    });
}
