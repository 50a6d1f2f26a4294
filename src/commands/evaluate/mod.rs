//! `celaje evaluate`: the figures of a model on labelled pictures, by the very code that makes the
//! record; no database, no network.
//!
//! Pictures are read as `predict` reads them. Of each only a few numbers stay in memory.

pub(super) mod args;
mod folders;
mod rows;
mod table;
mod tally;
mod work;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::commands::replacement::replace_file;
use crate::commands::{ordered, output, predict, progress};
use celaje_chart::{png, skill};
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::evaluate::against::{Comparison, Others, Readout};
use celaje_sky::evaluate::labels::{self, BadRow, Row};
use celaje_sky::say;
use celaje_sky::station::region::Region;
use celaje_sky::text::Lang;
use celaje_vision::engine::backend::Engine;
use celaje_vision::model::manifest::Manifest;
use celaje_vision::picture::decode::Limits;
use rows::ReadingRows;
use tally::{EvaluationReport, Tally};

/// Pixels a unit of the plots' PNG.
const PLOT_SCALE: f32 = 1.5;

/// What `celaje evaluate` is asked to do.
#[derive(Clone, Debug)]
pub struct EvaluateOptions {
    /// A table of labels, or a folder of labelled folders.
    pub labels: PathBuf,
    /// The groups that count; none means all.
    pub groups: Vec<String>,
    /// One JSON object instead of text.
    pub json: bool,
    /// Where to write a row for each picture.
    pub out: Option<PathBuf>,
    /// Folder for the plots.
    pub plot: Option<PathBuf>,
    /// Readings to compare with.
    pub against: Option<PathBuf>,
    /// The part of the pictures that is judged, and whose it is; none means all of it.
    pub region: Option<(String, Region)>,
    /// Threads; 0 means one a core.
    pub threads: usize,
    /// What a single picture may cost.
    pub limits: Limits,
    /// No progress.
    pub quiet: bool,
}

/// Judges the pictures and prints their figures.
///
/// Gives the exit status: 1 when a picture could not be used, or the readings are not those that
/// they are compared with.
///
/// # Errors
/// When the labels cannot be understood, the engine does not take the model, or something cannot be
/// written.
pub fn run(options: &EvaluateOptions, manifest: &Manifest, engine: &Arc<dyn Engine>) -> Result<u8> {
    let rows = chosen(read_labels(&options.labels)?, &options.groups)?;
    let mut comparison = options.against.as_deref().map(compare_with).transpose()?;
    if let Some(folder) = &options.plot {
        std::fs::create_dir_all(folder).map_err(|error| no_plot(folder, &io_text(&error)))?;
    }
    let whole = Region::whole();
    let region = options.region.as_ref().map_or(&whole, |(_, region)| region);
    let limits = options.limits;
    let workers = predict::workers(options.threads, region, limits, manifest, engine)?;
    let mut out = ReadingRows::begin(options.out.as_deref())?;
    let bar = bar(rows.len(), options.quiet);
    let mut tally = Tally::default();
    let end = ordered::run(
        workers,
        rows.into_iter(),
        |worker, row| {
            row.map(|label| {
                let seen = work::see(worker, &label, &limits);
                (label, seen)
            })
        },
        |answer| {
            bar.inc(1);
            let written = match &answer {
                Ok((label, Ok(seen))) => {
                    let sample = seen.sample;
                    tally.add(label.group.as_deref(), label.camera.as_deref(), Some(sample));
                    if let Some(comparison) = &mut comparison {
                        let (okta, fraction) = (sample.okta_read, sample.fraction_read);
                        comparison.add(&label.image, Readout { okta, fraction });
                    }
                    out.add(label, Ok(seen))
                }
                Ok((label, Err(text))) => {
                    bar.suspend(|| output::note(text));
                    tally.add(label.group.as_deref(), label.camera.as_deref(), None);
                    out.add(label, Err(&text.en))
                }
                Err(bad) => {
                    bar.suspend(|| output::note(&bad.text));
                    tally.add(bad.group.as_deref(), bad.camera.as_deref(), None);
                    Ok(())
                }
            };
            match written {
                Ok(()) => ControlFlow::Continue(()),
                Err(failure) => ControlFlow::Break(failure),
            }
        },
    );
    bar.finish_and_clear();
    if let ControlFlow::Break(failure) = end {
        return Err(failure);
    }
    out.finish()?;
    let (all, groups, cameras) = tally.parts();
    let report = EvaluationReport {
        model: format!("{} {}", manifest.name, manifest.version).trim_end().to_owned(),
        engine: engine.describe(),
        labels: options.labels.to_string_lossy().into_owned(),
        station: options.region.as_ref().map(|(station, _)| station.clone()),
        all,
        groups,
        cameras,
        against: comparison.map(Comparison::finish),
    };
    if let Some(folder) = &options.plot {
        plot(&report, folder)?;
    }
    output::line(if options.json { report.json() } else { table::text(&report, Lang::current()) })?;
    let agreed = report.against.as_ref().is_none_or(|found| found.holds());
    Ok(u8::from(report.all.failed > 0 || !agreed))
}

fn read_labels(path: &Path) -> Result<Vec<Row>> {
    if path.is_dir() {
        return folders::read(path);
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    labels::read(&bytes(path)?, &path.to_string_lossy(), folder)
}

fn compare_with(path: &Path) -> Result<Comparison> {
    let others = Others::read(&bytes(path)?, &path.to_string_lossy())?;
    Ok(Comparison::new(others))
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let shown = path.display();
        if error.kind() == std::io::ErrorKind::NotFound {
            Failure::usage(say!(
                "there is no file or folder {shown}; check the path",
                "no existe el archivo o carpeta {shown}; revise la ruta"
            ))
        } else {
            Failure::environment(say!(
                "{shown} cannot be read: {error}",
                "no se puede leer {shown}: {error}",
                error = io_text(&error),
            ))
        }
    })
}

/// The rows of these groups; without groups all.
fn chosen(rows: Vec<Row>, groups: &[String]) -> Result<Vec<Row>> {
    if groups.is_empty() {
        return Ok(rows);
    }
    let mut known: Vec<String> = Vec::new();
    for group in rows.iter().filter_map(BadRow::group_of) {
        if !known.iter().any(|name| name == group) {
            known.push(group.to_owned());
        }
    }
    if let Some(unknown) = groups.iter().find(|group| !known.contains(group)) {
        let known = known.join(", ");
        return Err(Failure::usage(say!(
            "no picture is of the group '{unknown}'; the labels name: {known}",
            "ninguna imagen es del grupo '{unknown}'; las etiquetas nombran: {known}"
        )));
    }
    let wanted = |row: &Row| match BadRow::group_of(row) {
        Some(group) => groups.iter().any(|name| name == group),
        None => false,
    };
    Ok(rows.into_iter().filter(wanted).collect())
}

/// A bar on a terminal, and nothing elsewhere.
fn bar(pictures: usize, quiet: bool) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(pictures as u64), target);
    let template = say!(
        "{{bar:32}} {{pos}}/{{len}} pictures{{left}}",
        "{{bar:32}} {{pos}}/{{len}} imágenes{{left}}"
    );
    if let Ok(style) = ProgressStyle::with_template(&template.to_string()) {
        bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ ").with_key("left", progress::left));
    }
    bar
}

/// Writes the confusion matrix and the reliability diagram, each as SVG and as PNG.
fn plot(report: &EvaluationReport, folder: &Path) -> Result<()> {
    let lang = Lang::current();
    let skill = skill::Skill { lang, subject: &report.model, figures: &report.all };
    for (name, svg) in [("confusion", skill.confusion()), ("reliability", skill.reliability())] {
        let path = folder.join(name);
        let png = png::render(&svg, PLOT_SCALE).map_err(|error| no_plot(&path, &error))?;
        for (extension, bytes) in [("svg", svg.as_bytes()), ("png", &png)] {
            let path = path.with_extension(extension);
            replace_file(&path, bytes).map_err(|error| no_plot(&path, &io_text(&error)))?;
        }
    }
    Ok(())
}

fn no_plot(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    let shown = path.display();
    Failure::environment(say!(
        "the plot '{shown}' cannot be written: {error}",
        "no se puede escribir el gráfico '{shown}': {error}"
    ))
}
