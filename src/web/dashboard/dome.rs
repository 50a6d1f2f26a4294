//! The dome of the sky: the picture of a reading, its cells by direction, and what stands there.

use actix_web::web;
use chrono::{DateTime, Utc};

use crate::figures::gather::LATELY;
use crate::figures::order::Order;
use crate::store::reader::{ObservationItem, ZoneCount};
use crate::store::rows::slot_text;
use crate::web::WebState;
use crate::web::camera::layout_of;
use crate::web::problem::Problem;
use celaje_chart::dome::{BodyPlace, DomeChart, SkyBody, ZoneCloud};
use celaje_sky::cover::Cover;
use celaje_sky::dome::SkyDome;
use celaje_sky::planets::{self, Planet};
use celaje_sky::say;
use celaje_sky::slot::Slot;
use celaje_sky::{moon, sun};

/// Planets are told with the sun lower than this, degrees: by day nobody sees them.
const DUSK: f64 = -3.0;

/// What a dome is drawn from.
pub(super) struct DomeInput {
    order: Order,
    slot: Slot,
    item: ObservationItem,
    lately: Vec<ZoneCount>,
    dome: Option<SkyDome>,
}

impl DomeInput {
    /// Looks at the picture of the reading `item`.
    pub(super) async fn look(
        state: &web::Data<WebState>,
        order: Order,
        item: Option<Box<ObservationItem>>,
        lately: Vec<ZoneCount>,
    ) -> Result<Self, Problem> {
        let local = order.range.1;
        let slot = Slot::at(local, order.place.zone);
        let (Some(slot), Some(item)) = (slot, item) else {
            return Err(Problem::not_found(say!(
                "the record has no reading of {local}",
                "el registro no tiene una lectura de {local}"
            )));
        };
        let station = state.station(&order.place.id);
        let Some(station) = station.filter(|station| station.region.lens.is_some()) else {
            let name = &order.place.name;
            return Err(Problem::not_found(say!(
                "there is no dome of '{name}': the settings of this server name no lens of it",
                "no hay cúpula de '{name}': los ajustes de este servidor no indican su lente"
            )));
        };
        let layout = item.url.as_deref().map(|url| layout_of(url, slot));
        let shot = state.cameras.shot(&station, slot, layout).await?;
        let region = station.region.clone();
        let dome = state.overlays().dome(shot.bytes.clone(), region).await?;
        Ok(Self { order, slot, item: *item, lately, dome })
    }

    pub(super) fn svg(&self) -> String {
        let place = &self.order.place;
        DomeChart {
            look: self.order.look,
            station: &place.name,
            slot: self.slot.local(),
            cover: self.item.cover().unwrap_or(Cover::Obscured),
            dome: self.dome.as_ref(),
            bodies: &bodies(self.slot.utc(), place.latitude, place.longitude),
            zones: &self.zones(),
            days: LATELY,
        }
        .svg()
    }

    /// The cloud of each place, a line each, from the zenith outwards; empty where it is not seen.
    pub(super) fn csv(&self) -> String {
        let is_oriented = self.dome.as_ref().is_none_or(|dome| dome.is_oriented);
        // Without the direction of north: from the picture's top, clockwise.
        let angle = if is_oriented { "azimuth" } else { "clockwise" };
        let mut text =
            format!("slot,elevation_from,elevation_to,{angle}_from,{angle}_to,cloud_fraction\r\n");
        let slot = slot_text(self.slot.local());
        for place in self.dome.iter().flat_map(SkyDome::places) {
            let ((inner, outer), (from, to)) = (place.ring, place.sector);
            let (low, high) = (90.0 - outer, 90.0 - inner);
            let cloud = place.cloud.map(|cloud| format!("{cloud:.3}")).unwrap_or_default();
            text += &format!("{slot},{low},{high},{from},{to},{cloud}\r\n");
        }
        text
    }

    fn zones(&self) -> Vec<ZoneCloud> {
        let parts = self.item.parts();
        let mut now = vec![(None, parts.zenith)];
        now.extend(parts.zones.into_iter().map(|(name, cloud)| (Some(name), cloud)));
        let lately = |name: &Option<String>| {
            let count = self.lately.iter().find(|count| count.name == *name);
            count.map_or((0, 0), |count| (count.n.unsigned_abs(), count.clear.unsigned_abs()))
        };
        let zone = |(name, now)| ZoneCloud { lately: lately(&name), name, now };
        now.into_iter().map(zone).collect()
    }
}

/// What stands above the horizon.
fn bodies(at: DateTime<Utc>, latitude: f64, longitude: f64) -> Vec<BodyPlace> {
    let sun = sun::position(at, latitude, longitude);
    let moon = moon::position(at, latitude, longitude);
    let place = |body, elevation, azimuth| BodyPlace { body, elevation, azimuth };
    let mut all = vec![
        place(SkyBody::Sun, sun.elevation, sun.azimuth),
        place(SkyBody::Moon(moon.lit), moon.elevation, moon.azimuth),
    ];
    if sun.elevation < DUSK {
        all.extend(Planet::ALL.map(|planet| {
            let found = planets::position(planet, at, latitude, longitude);
            place(SkyBody::Planet(planet), found.elevation, found.azimuth)
        }));
    }
    all.retain(|place| place.elevation > 0.0);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planets_are_told_by_night_and_nothing_below_the_horizon() {
        let told = |at: &str| {
            let found = bodies(at.parse().unwrap(), 28.76, -17.88);
            assert!(found.iter().all(|place| place.elevation > 0.0));
            found.into_iter().map(|place| place.body).collect::<Vec<_>>()
        };
        let night = told("2026-11-30T05:00:00Z");
        let planet = |planet| night.contains(&SkyBody::Planet(planet));
        assert!(matches!(night[0], SkyBody::Moon(lit) if (lit - 0.616).abs() < 0.01));
        assert!(planet(Planet::Jupiter) && planet(Planet::Venus) && !planet(Planet::Saturn));
        let noon = told("2026-11-30T13:00:00Z");
        assert_eq!(noon, [SkyBody::Sun]);
    }
}
