//! A benchmark as a picture: where the time of a picture goes, and what the machine gives of what it
//! could.

use std::path::Path;

use crate::commands::bench::report::Report;
use crate::commands::output;
use celaje_chart::throughput::{Part, Throughput};
use celaje_chart::{png, throughput};
use celaje_sky::error::{Failure, Result};
use celaje_sky::flow::Stage;
use celaje_sky::say;
use celaje_sky::text::Lang;

/// Pixels a unit.
const SCALE: f32 = 1.5;

/// Writes the plot as PNG.
///
/// # Errors
/// When it cannot be drawn or written.
pub fn write(report: &Report, path: &Path) -> Result<()> {
    let shown = path.display();
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::environment(say!(
            "the plot '{shown}' cannot be written: {why}; choose another --plot",
            "no se puede escribir el gráfico '{shown}': {why}; elija otro --plot"
        ))
    };
    let median = &report.median;
    let mut parts: Vec<Part> = median
        .stages
        .each()
        .map(|(name, stage)| Part {
            name: name.to_string(),
            value: stage.cpu_ms,
        })
        .into();
    let beyond = median.whole.cpu_ms - median.stages.cpu_ms();
    parts.push(Part {
        name: say!("messages, scheduling", "mensajes, planificación").to_string(),
        value: beyond.max(0.0),
    });
    parts.push(Part {
        name: say!("camera, same cores", "cámara, mismos núcleos").to_string(),
        value: median.whole.camera_cpu_ms,
    });
    let waits: Vec<Part> = median
        .whole
        .flow
        .stages
        .iter()
        .map(|stage| Part {
            name: stage.stage.name().to_string(),
            // The batch queue does nothing but have pictures wait.
            value: match stage.stage {
                Stage::Batch => stage.wait_ms() + stage.work_ms(),
                _ => stage.wait_ms(),
            },
        })
        .collect();
    let subject = &report.subject;
    let (width, height) = subject.size;
    let (cores, model, engine) = (subject.cores, &subject.model, &subject.engine);
    let about = say!(
        "{model} on {engine} · {cores} cores · {width}x{height}",
        "{model} en {engine} · {cores} núcleos · {width}x{height}"
    );
    let svg = throughput::draw(&Throughput {
        lang: Lang::current(),
        subject: &about.to_string(),
        achieved: median.whole.pictures_per_s,
        bound: median.bound,
        parts: &parts,
        waits: &waits,
    });
    let png = png::render(&svg, SCALE).map_err(|error| cannot(&error))?;
    output::replace_file(path, &png).map_err(|error| cannot(&error))
}
