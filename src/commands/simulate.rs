//! `celaje simulate`: a camera server that draws its own sky.

use std::io::Write;
use std::net::IpAddr;
use std::path::Path;

use clap::Args;

use crate::commands::range;
use crate::commands::signals::Signals;
use crate::settings::layer::SpanishHelp;
use crate::settings::values::{whole, within};
use crate::settings::{Layer, Settings};
use celaje_simulate::conditions::{Colour, Conditions, Extra, Fault, Lens, Lights};
use celaje_simulate::options::{Layout, SimulateOptions};
use celaje_simulate::{Scene, server};
use celaje_sky::error::Result;
use celaje_sky::moment::Moment;
use celaje_sky::say;
use celaje_sky::text::BadValue;

#[derive(Clone, Debug, Args)]
pub(super) struct SimulateArgs {
    /// Port to listen on; 0 takes any free one
    #[arg(
        long,
        value_name = "PORT",
        env = "CELAJE_PORT",
        default_value_t = 8088,
        value_parser = whole(0..=u16::MAX)
    )]
    port: u16,
    /// Address to listen on
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "CELAJE_BIND",
        default_value = "127.0.0.1",
        value_parser = address
    )]
    bind: IpAddr,
    /// First minute that has pictures [default: all up to now]
    #[arg(
        long,
        alias = "desde",
        value_name = "TIME",
        env = "CELAJE_FROM",
        value_parser = Moment::parse,
        requires = "to"
    )]
    from: Option<Moment>,
    /// Last minute that has pictures
    #[arg(
        long,
        alias = "hasta",
        value_name = "TIME",
        env = "CELAJE_TO",
        value_parser = Moment::parse,
        requires = "from"
    )]
    to: Option<Moment>,
    /// What the camera looks at
    #[arg(long, value_name = "SCENE", env = "CELAJE_SCENE", default_value = "landscape")]
    scene: Scene,
    /// Size of the pictures
    #[arg(
        long,
        value_name = "WxH",
        env = "CELAJE_SIZE",
        default_value = "800x600",
        value_parser = size
    )]
    size: (u32, u32),
    /// Seed of the weather: another number, another sky
    #[arg(
        long,
        value_name = "N",
        env = "CELAJE_SEED",
        default_value_t = 1,
        value_parser = whole(0..=u64::MAX)
    )]
    seed: u64,
    /// Station whose sun, clock and name are drawn [default: the first one in celaje.toml, else
    /// rio-grande]
    #[arg(long, value_name = "ID", env = "CELAJE_STATION")]
    station: Option<String>,
    /// Where the pictures are served: in a folder a year, at the root, or both
    #[arg(long, value_name = "LAYOUT", env = "CELAJE_SERVED_LAYOUT", default_value = "both")]
    layout: Layout,
    #[command(flatten)]
    conditions: ConditionArgs,
}

#[derive(Clone, Copy, Debug, Args)]
struct ConditionArgs {
    /// What lies on the lens
    #[arg(long, value_name = "WHAT", env = "CELAJE_LENS", default_value = "clean")]
    lens: Lens,
    /// Glare of the sun in the lens
    #[arg(long, value_name = "HOW MUCH", env = "CELAJE_GLARE", default_value = "none")]
    glare: Extra,
    /// Haze that makes the horizon milky
    #[arg(long, value_name = "HOW MUCH", env = "CELAJE_HAZE", default_value = "none")]
    haze: Extra,
    /// Lights below the night sky
    #[arg(long, value_name = "LIGHTS", env = "CELAJE_LIGHTS", default_value = "faint")]
    lights: Lights,
    /// Kind of sensor
    #[arg(long, value_name = "SENSOR", env = "CELAJE_COLOUR", default_value = "rgb")]
    colour: Colour,
    /// What has become of the camera
    #[arg(long, value_name = "FAULT", env = "CELAJE_FAULT", default_value = "none")]
    fault: Fault,
}

impl ConditionArgs {
    const fn conditions(&self) -> Conditions {
        Conditions {
            lens: self.lens,
            glare: self.glare,
            haze: self.haze,
            lights: self.lights,
            colour: self.colour,
            fault: self.fault,
        }
    }
}

pub(super) const SPANISH: SpanishHelp = &[
    ("simulate", "Sirve imágenes dibujadas de una cámara de cielo, en la propia máquina"),
    ("port", "Puerto en que escucha; 0 toma uno libre"),
    ("bind", "Dirección en que escucha"),
    ("from", "Primer minuto con imágenes [por omisión: todas hasta ahora]"),
    ("to", "Último minuto con imágenes"),
    (
        "scene",
        "Qué mira la cámara: landscape es una lente común hacia el ecuador, con el horizonte \
         abajo; fisheye, un ojo de pez hacia el cenit",
    ),
    ("size", "Tamaño de las imágenes"),
    ("seed", "Semilla del tiempo: otro número, otro cielo"),
    (
        "station",
        "Estación cuyo sol, reloj y nombre se dibujan [por omisión: la primera de celaje.toml, o \
         rio-grande]",
    ),
    (
        "layout",
        "Dónde se sirven las imágenes: en una carpeta por año (year), en la raíz (root) o en ambas \
         (both)",
    ),
    (
        "lens",
        "Qué hay sobre la lente: nada (clean), gotas (drops), rocío (dew), nieve (snow) o un poco \
         de todo (mixed)",
    ),
    (
        "glare",
        "Deslumbramiento del sol en la lente: ninguno (none), fuerte (strong) o a ratos (mixed)",
    ),
    (
        "haze",
        "Bruma que vuelve lechoso el horizonte: ninguna (none), fuerte (strong) o a ratos (mixed)",
    ),
    (
        "lights",
        "Luces bajo el cielo nocturno: un pueblo lejano (faint), ninguna (none), una ciudad \
         alrededor (town) u otra cosa cada noche (mixed)",
    ),
    ("colour", "Tipo de sensor: de color (rgb), o de grises, realzados de noche (mono)"),
    (
        "fault",
        "Qué falla tiene la cámara: ninguna (none), un cartel (placeholder), la imagen anterior \
         repetida (frozen), negro (dark), sobreexpuesta (overexposed) o un poco de todo (mixed)",
    ),
];

impl SimulateArgs {
    /// Serves until Ctrl-C or SIGTERM; the base URL is the first line on the standard output.
    pub(super) async fn run(self, config: Option<&Path>) -> Result<u8> {
        let running = server::start(self.options(config)?)?;
        // Before anyone can know that it runs.
        let mut signals = Signals::listen();
        let url = &running.base_url;
        let line = say!(
            "Simulated camera on {url} (Ctrl-C ends it)",
            "Cámara simulada en {url} (se termina con Ctrl-C)"
        );
        // Whoever closed the output still gets the pictures.
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        drop(out);
        signals.next().await;
        running.stop().await;
        Ok(0)
    }

    fn options(self, config: Option<&Path>) -> Result<SimulateOptions> {
        let flags = Layer { station: self.station, ..Layer::default() };
        let station = Settings::read(flags, config)?.station;
        let range = match (self.from, self.to) {
            (Some(from), Some(to)) => Some(range::between(from, to, "--from", "--to")?),
            _ => None,
        };
        Ok(SimulateOptions {
            bind: self.bind,
            port: self.port,
            range,
            scene: self.scene,
            size: self.size,
            seed: self.seed,
            layout: self.layout,
            conditions: self.conditions.conditions(),
            ..SimulateOptions::for_station(&station)
        })
    }
}

fn address(text: &str) -> Result<IpAddr, BadValue> {
    text.trim().parse().map_err(|_| {
        BadValue(say!(
            "write an IP address such as 127.0.0.1",
            "escriba una dirección IP como 127.0.0.1"
        ))
    })
}

/// Reads `WIDTHxHEIGHT` of a drawn picture.
pub(super) fn size(text: &str) -> Result<(u32, u32), BadValue> {
    let side = celaje_simulate::SIDE;
    text.split_once('x').and_then(|(w, h)| Some((within(w, &side)?, within(h, &side)?))).ok_or_else(
        || {
            let (least, most) = (side.start(), side.end());
            BadValue(say!(
                "write it as 800x600, each side from {least} to {most}",
                "escriba p. ej. 800x600, cada lado de {least} a {most}"
            ))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_can_be_drawn() {
        assert_eq!(size("800x600"), Ok((800, 600)));
        for text in ["800", "800x", "32x600", "800x600x3", "8000x600"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
