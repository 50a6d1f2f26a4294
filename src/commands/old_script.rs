//! Flags of the replaced system's scripts, with the meaning that they had there.

use clap::{Args, ValueEnum};

use celaje_sky::error::{Failure, Result};
use celaje_sky::say;
use celaje_sky::station::Station;

#[derive(Clone, Debug, Args)]
pub(super) struct OldScriptArgs {
    /// Of the replaced system's scripts: forzar is --reprocess, respetar_hora the default
    #[arg(long, value_name = "MODE", hide = true, ignore_case = true)]
    modo: Option<OldMode>,
    /// Of the replaced system's scripts: minutes between two slots, which the station knows
    #[arg(long, value_name = "N", hide = true)]
    step_min: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OldMode {
    #[value(name = "forzar")]
    Replace,
    #[value(name = "respetar_hora", alias = "respetar-hora")]
    Keep,
}

impl OldScriptArgs {
    /// Whether rows that exist are to be replaced.
    pub(super) fn reprocess(&self) -> bool {
        self.modo == Some(OldMode::Replace)
    }

    /// Refuses a step that is not the station's: its slots are where the camera has pictures.
    pub(super) fn check_step(&self, station: &Station) -> Result<()> {
        let minutes = station.minutes.as_slice();
        let number = u32::try_from(minutes.len()).unwrap_or(u32::MAX);
        let even = 60 % number == 0
            && minutes.iter().zip(0..).all(|(minute, n)| *minute == minutes[0] + n * 60 / number);
        let Some(asked) = self.step_min.filter(|asked| !even || *asked != 60 / number) else {
            return Ok(());
        };
        let minutes: Vec<_> = minutes.iter().map(u32::to_string).collect();
        let (id, minutes) = (&station.id, minutes.join(", "));
        Err(Failure::usage(say!(
            "--step-min {asked} is not the step of station '{id}', which has pictures of the \
            minutes {minutes}; leave it out, or set valid_minutes in celaje.toml",
            "--step-min {asked} no es el paso de la estación '{id}', que tiene imágenes de los \
            minutos {minutes}; omítalo, o ponga valid_minutes en celaje.toml"
        )))
    }
}
