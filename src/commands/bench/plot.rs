//! A benchmark as a chart.

use std::path::Path;

use crate::commands::bench::report::Report;
use crate::commands::replacement::replace_file;
use celaje_chart::png;
use celaje_chart::throughput::{Bar, Throughput};
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::flow::FlowStage;
use celaje_sky::say;
use celaje_sky::text::Lang;

/// Pixels per SVG unit.
const SCALE: f32 = 1.5;

/// Writes the chart as PNG.
pub fn write(report: &Report, path: &Path) -> Result<()> {
    let shown = path.display();
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::environment(say!(
            "the plot '{shown}' cannot be written: {why}; choose another --plot",
            "no se puede escribir el gráfico '{shown}': {why}; elija otro --plot"
        ))
    };
    let median = &report.median;
    let mut parts: Vec<Bar> = median
        .stages
        .each()
        .map(|(name, stage)| Bar { name: name.to_string(), value: stage.cpu_ms })
        .into();
    let beyond = median.whole.cpu_ms - median.stages.cpu_ms();
    parts.push(Bar {
        name: say!("messages, scheduling", "mensajes, planificación").to_string(),
        value: beyond.max(0.0),
    });
    parts.push(Bar {
        name: say!("camera, same cores", "cámara, mismos núcleos").to_string(),
        value: median.whole.camera_cpu_ms,
    });
    let waits: Vec<Bar> = median
        .whole
        .flow
        .stages
        .iter()
        .map(|stage| Bar {
            name: stage.stage.name().to_string(),
            // In the batch queue pictures only wait.
            value: match stage.stage {
                FlowStage::Batch => stage.wait_ms() + stage.work_ms(),
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
    let svg = Throughput {
        lang: Lang::current(),
        subject: &about.to_string(),
        achieved: median.whole.pictures_per_s,
        bound: median.bound,
        parts: &parts,
        waits: &waits,
    }
    .svg();
    let png = png::render(&svg, SCALE).map_err(|error| cannot(&error))?;
    replace_file(path, &png).map_err(|error| cannot(&io_text(&error)))
}
