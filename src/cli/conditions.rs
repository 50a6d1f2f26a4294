//! What is wrong with the simulated camera, on the command line.

use clap::Args;

use celaje_simulate::conditions::{Colour, Conditions, Extra, Fault, Lens, Lights};

/// The flags of `celaje simulate` that spoil its pictures.
#[derive(Clone, Copy, Debug, Args)]
pub struct Spoilt {
    /// What lies on the lens
    #[arg(
        long,
        value_name = "WHAT",
        env = "CELAJE_LENS",
        default_value = "clean"
    )]
    pub lens: Lens,
    /// Glare of the sun in the lens
    #[arg(
        long,
        value_name = "HOW MUCH",
        env = "CELAJE_GLARE",
        default_value = "none"
    )]
    pub glare: Extra,
    /// Haze that makes the horizon milky
    #[arg(
        long,
        value_name = "HOW MUCH",
        env = "CELAJE_HAZE",
        default_value = "none"
    )]
    pub haze: Extra,
    /// Lights below the night sky
    #[arg(
        long,
        value_name = "LIGHTS",
        env = "CELAJE_LIGHTS",
        default_value = "faint"
    )]
    pub lights: Lights,
    /// Kind of sensor
    #[arg(
        long,
        value_name = "SENSOR",
        env = "CELAJE_COLOUR",
        default_value = "rgb"
    )]
    pub colour: Colour,
    /// What has become of the camera
    #[arg(
        long,
        value_name = "FAULT",
        env = "CELAJE_FAULT",
        default_value = "none"
    )]
    pub fault: Fault,
}

impl Spoilt {
    /// The conditions that the flags ask for.
    pub const fn conditions(&self) -> Conditions {
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
