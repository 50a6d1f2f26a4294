//! What a benchmark found, for people and for programs.

use std::fmt::{self, Display};

use serde::Serialize;

use crate::commands::bench::arrange::Measured;
use crate::service::inference::Arrangement;
use celaje_sky::flow::FlowReport;
use celaje_sky::say;
use celaje_sky::text::Text;

/// A stage alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Alone {
    /// CPU milliseconds a picture, of all threads; 0 where the system does not count them.
    pub cpu_ms: f64,
    /// Pictures a second.
    pub pictures_per_s: f64,
}

/// The stages of the pipeline, each alone, as the pipeline runs them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Stages {
    /// Requests to the camera.
    pub fetch: Alone,
    /// JPEG to frame.
    pub decode: Alone,
    /// Frame to reading.
    pub inference: Alone,
    /// Rows into the record.
    pub store: Alone,
}

impl Stages {
    /// With their names, in the order of the pipeline.
    pub fn each(&self) -> [(Text, Alone); 4] {
        [
            (say!("fetch", "descarga"), self.fetch),
            (say!("decode", "decodificación"), self.decode),
            (say!("inference", "inferencia"), self.inference),
            (say!("store", "almacén"), self.store),
        ]
    }

    /// CPU milliseconds a picture of all of them.
    pub fn cpu_ms(&self) -> f64 {
        self.each().iter().map(|(_, stage)| stage.cpu_ms).sum()
    }

    /// Pictures a second of the slowest one.
    pub fn slowest(&self) -> f64 {
        self.each().iter().map(|(_, stage)| stage.pictures_per_s).fold(f64::INFINITY, f64::min)
    }
}

/// The pipeline as a whole, over one range of slots.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Whole {
    /// Pictures a second.
    pub pictures_per_s: f64,
    /// CPU milliseconds a picture.
    pub cpu_ms: f64,
    /// CPU milliseconds a picture that the camera took from the same cores.
    pub camera_cpu_ms: f64,
    /// How often a thread waited, a picture.
    pub waits: f64,
    /// How often a thread lost its core, a picture.
    pub preemptions: f64,
    /// Slots that gave no reading.
    pub missed: u64,
    /// What flowed through the actors.
    pub flow: FlowReport,
}

/// One round: the stages and the whole on the same pictures, one after the other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Round {
    /// The stages.
    pub stages: Stages,
    /// The pipeline.
    pub whole: Whole,
    /// Pictures a second that the machine could give at most.
    pub bound: f64,
    /// What it gave of that.
    pub efficiency: f64,
    /// CPU time beyond the stages' own, as a share of theirs.
    pub overhead: f64,
}

impl Round {
    /// What follows from the measurements. `cores` that stages and camera share; on a card the
    /// bound is the slowest stage; `line`: pictures a second that the camera's line carries.
    pub fn new(stages: Stages, whole: Whole, cores: usize, on_card: bool, line: f64) -> Self {
        let work = stages.cpu_ms() + whole.camera_cpu_ms;
        let bound =
            if on_card || work <= 0.0 { stages.slowest() } else { 1000.0 * cores as f64 / work };
        let bound = bound.min(line);
        Self {
            bound,
            efficiency: whole.pictures_per_s / bound,
            overhead: if stages.cpu_ms() > 0.0 {
                whole.cpu_ms / stages.cpu_ms() - 1.0
            } else {
                0.0
            },
            stages,
            whole,
        }
    }
}

/// What was measured on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Subject {
    /// Cores that this process may use.
    pub cores: usize,
    /// Different pictures.
    pub pictures: usize,
    /// Width and height of the first one.
    pub size: (u32, u32),
    /// Bytes of a picture, on average.
    pub bytes: f64,
    /// Pictures in a round.
    pub count: usize,
    /// Milliseconds before each answer of the camera.
    pub latency_ms: f64,
    /// Megabits a second that its line carries, if that is limited.
    pub bandwidth_mbit: Option<f64>,
    /// The model.
    pub model: String,
    /// What runs it.
    pub engine: String,
    /// How.
    pub arrangement: Arrangement,
}

/// An engine in all arrangements.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EngineFigures {
    /// Which one.
    pub engine: String,
    /// What it gives.
    pub measured: Vec<Measured>,
}

/// All that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What was measured on.
    pub subject: Subject,
    /// Inference alone.
    pub engines: Vec<EngineFigures>,
    /// Each round.
    pub rounds: Vec<Round>,
    /// The middle one of the rounds, by efficiency: what the report is about.
    pub median: Round,
    /// The most requests that were in flight at once.
    pub requests_peak: usize,
    /// The most memory that was resident, bytes; that of the pictures and of all engines is in it.
    pub peak_memory: Option<u64>,
}

/// The middle round by efficiency, the worse one of two middle ones; none of none.
pub fn median(rounds: &[Round]) -> Option<Round> {
    let mut sorted: Vec<&Round> = rounds.iter().collect();
    sorted.sort_by(|a, b| a.efficiency.total_cmp(&b.efficiency));
    sorted.get(sorted.len().saturating_sub(1) / 2).map(|round| (*round).clone())
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, median, .. } = self;
        let Subject {
            cores,
            pictures,
            size: (width, height),
            bytes,
            count,
            latency_ms,
            model,
            engine,
            arrangement: Arrangement { sessions, threads, batch },
            bandwidth_mbit,
        } = subject;
        let rounds = self.rounds.len();
        let kb = bytes / 1000.0;
        let line = match bandwidth_mbit {
            Some(rate) => say!(
                "{latency_ms:.0} ms away, {rate:.0} Mbit/s",
                "a {latency_ms:.0} ms, {rate:.0} Mbit/s"
            ),
            None => say!("{latency_ms:.0} ms away", "a {latency_ms:.0} ms"),
        };
        writeln!(
            f,
            "{}\n{}\n",
            say!(
                "{model} on {engine} · {cores} cores · {sessions} sessions × {threads} threads, \
                batches of {batch}",
                "{model} en {engine} · {cores} núcleos · {sessions} sesiones × {threads} hilos, \
                lotes de {batch}"
            ),
            say!(
                "{pictures} different pictures of {width}x{height}, {kb:.0} kB each · {count} a \
                round, {rounds} rounds · camera {line}",
                "{pictures} imágenes distintas de {width}x{height}, {kb:.0} kB cada una · {count} \
                por ronda, {rounds} rondas · cámara {line}"
            )
        )?;
        self.inference(f)?;
        writeln!(
            f,
            "{}",
            say!(
                "each stage alone      CPU ms   pictures/s",
                "cada etapa sola       ms CPU   imágenes/s"
            )
        )?;
        for (name, stage) in median.stages.each() {
            let name = name.to_string();
            let (cpu, rate) = (stage.cpu_ms, stage.pictures_per_s);
            writeln!(f, "  {name:18} {cpu:>7.2} {rate:>12.0}")?;
        }
        let camera = median.whole.camera_cpu_ms;
        let name = say!("camera, same cores", "cámara, mismos núcleos").to_string();
        writeln!(f, "  {name:18} {camera:>7.2}\n")?;
        self.whole(f)
    }
}

impl Report {
    fn inference(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}",
            say!(
                "inference alone       sessions  threads  batch    CPU ms   pictures/s",
                "inferencia sola       sesiones    hilos   lote    ms CPU   imágenes/s"
            )
        )?;
        for EngineFigures { engine, measured } in &self.engines {
            for Measured { arrangement, pictures_per_s, cpu_ms } in measured {
                let Arrangement { sessions, threads, batch } = arrangement;
                let cpu = cpu_ms.unwrap_or(0.0);
                writeln!(
                    f,
                    "  {engine:24} {sessions:>3} {threads:>8} {batch:>6} {cpu:>9.2} \
                    {pictures_per_s:>12.0}"
                )?;
            }
        }
        let advice = match self.recommended() {
            None => say!(
                "This arrangement suits the machine: no quicker one was found.",
                "Esta disposición conviene a la máquina: no se halló otra más rápida."
            ),
            Some(Arrangement { sessions, threads, batch }) => say!(
                "Recommended for celaje.toml:\nthreads = {sessions}\nsession_threads = {threads}\n\
                batch = {batch}",
                "Recomendado para celaje.toml:\nthreads = {sessions}\nsession_threads = {threads}\n\
                batch = {batch}"
            ),
        };
        writeln!(f, "\n{advice}\n")
    }

    /// The arrangement of the engine in use that gives the most pictures a second; none when the
    /// present one gives nearly as many, since one short measurement is no more exact than that.
    fn recommended(&self) -> Option<Arrangement> {
        const NEARLY: f64 = 0.95;
        let engine = &self.subject.engine;
        let of_engine = self.engines.iter().find(|one| one.engine == *engine)?;
        let rate = |one: &&Measured| one.pictures_per_s;
        let measured = of_engine.measured.iter();
        let best = measured.max_by(|a, b| rate(a).total_cmp(&rate(b)))?;
        let present = |one: &&Measured| one.arrangement == self.subject.arrangement;
        let now = of_engine.measured.iter().find(present);
        let suits = now.is_some_and(|now| now.pictures_per_s >= NEARLY * best.pictures_per_s);
        (!suits).then_some(best.arrangement)
    }

    fn whole(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Round { whole, bound, efficiency, overhead, .. } = &self.median;
        let Whole { pictures_per_s, cpu_ms, waits, preemptions, missed, flow, .. } = whole;
        let (percent, beyond) = (100.0 * efficiency, 100.0 * overhead);
        let peak = self.requests_peak;
        writeln!(
            f,
            "{}",
            say!(
                "whole pipeline        {cpu_ms:>6.2} {pictures_per_s:>12.0}\n\
                 bound                        {bound:>12.0}   efficiency {percent:.1} %\n\
                 CPU beyond the stages' own {beyond:+.1} % · {waits:.1} waits and {preemptions:.1} \
                 preemptions a picture · up to {peak} requests in flight",
                "toda la cadena        {cpu_ms:>6.2} {pictures_per_s:>12.0}\n\
                 cota                         {bound:>12.0}   eficiencia {percent:.1} %\n\
                 CPU más allá de las etapas {beyond:+.1} % · {waits:.1} esperas y {preemptions:.1} \
                 desalojos por imagen · hasta {peak} pedidos a la vez"
            )
        )?;
        if *missed > 0 {
            writeln!(
                f,
                "{}",
                say!("{missed} pictures gave no reading", "{missed} imágenes no dieron lectura")
            )?;
        }
        write!(f, "\n{flow}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_sky::flow::Flow;

    fn round(cpu: [f64; 4], pictures_per_s: f64, line: f64, on_card: bool) -> Round {
        let alone = |cpu_ms: f64| Alone { cpu_ms, pictures_per_s: 2000.0 / cpu_ms };
        let [fetch, decode, inference, store] = cpu.map(alone);
        let stages = Stages { fetch, decode, inference, store };
        let whole = Whole {
            pictures_per_s,
            cpu_ms: 4.2,
            camera_cpu_ms: 1.0,
            waits: 0.0,
            preemptions: 0.0,
            missed: 0,
            flow: Flow::default().report(),
        };
        Round::new(stages, whole, 2, on_card, line)
    }

    #[test]
    fn the_bound_is_what_the_cores_or_the_slowest_part_give() {
        let on_cores = round([0.5, 1.0, 2.0, 0.5], 380.0, f64::INFINITY, false);
        assert!((on_cores.bound - 400.0).abs() < 1e-9);
        assert!((on_cores.efficiency - 0.95).abs() < 1e-9);
        assert!((on_cores.overhead - 0.05).abs() < 1e-9);
        let narrow = round([0.5, 1.0, 2.0, 0.5], 95.0, 100.0, false);
        assert!((narrow.efficiency - 0.95).abs() < 1e-9);
        let card = round([0.5, 1.0, 2.0, 0.5], 380.0, f64::INFINITY, true);
        assert!((card.bound - 1000.0).abs() < 1e-9);
    }

    #[test]
    fn the_middle_round_counts() {
        let rounds = [300.0, 390.0, 380.0].map(|rate| round([1.0; 4], rate, f64::INFINITY, false));
        assert_eq!(median(&rounds).unwrap().whole.pictures_per_s, 380.0);
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_quicker_arrangement_is_recommended_and_noise_is_not() {
        let arrangement = |sessions, threads, batch| Arrangement { sessions, threads, batch };
        let (present, other) = (arrangement(2, 1, 4), arrangement(1, 2, 1));
        let report = |rate: f64| {
            let measured = |(arrangement, pictures_per_s)| Measured {
                arrangement,
                pictures_per_s,
                cpu_ms: None,
            };
            let round = round([1.0; 4], 100.0, f64::INFINITY, false);
            Report {
                subject: Subject {
                    cores: 2,
                    pictures: 1,
                    size: (480, 450),
                    bytes: 60_000.0,
                    count: 1,
                    latency_ms: 0.0,
                    bandwidth_mbit: None,
                    model: "m".to_owned(),
                    engine: "e".to_owned(),
                    arrangement: present,
                },
                engines: vec![EngineFigures {
                    engine: "e".to_owned(),
                    measured: [(present, 100.0), (other, rate)].map(measured).to_vec(),
                }],
                rounds: vec![round.clone()],
                median: round,
                requests_peak: 1,
                peak_memory: None,
            }
        };
        assert_eq!(report(104.0).recommended(), None);
        assert_eq!(report(120.0).recommended(), Some(other));
        let told = report(120.0).to_string();
        assert!(told.contains("threads = 1\nsession_threads = 2\nbatch = 1\n"), "{told}");
    }
}
