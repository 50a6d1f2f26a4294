//! The dome of the sky: cloud by direction, with compass, heights, sun, moon and planets.

use chrono::NaiveDateTime;

use super::axis::LABEL;
use super::legend::Key;
use super::look::Look;
use super::plot::{Layout, Plot};
use super::svg::{Anchor, Num, TextStyle, fill, outlined, stroke};
use super::theme::{AXIS, GRID, INK, MOON, PAPER, SUN, mean_colour};
use super::words::{MINUTE, count, decimal, hidden, moment, oktas, percent, tell};
use celaje_sky::cover::Cover;
use celaje_sky::dome::{DomePlace, SkyDome};
use celaje_sky::planets::Planet;
use celaje_sky::text::Lang;

/// The most that the dome is wide.
const WIDEST: f64 = 520.0;
/// The height of a line of the list.
const ROW: f64 = 21.0;
const LEGEND: [Key; 1] = [Key::Oktas];

/// What stands in the sky.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SkyBody {
    Sun,
    /// The share of its disc that is lit.
    Moon(f64),
    Planet(Planet),
}

/// Something in the sky, and where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BodyPlace {
    pub body: SkyBody,
    /// Degrees above the horizon.
    pub elevation: f64,
    /// Degrees from north through east.
    pub azimuth: f64,
}

/// The cloud of a zone.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneCloud {
    /// None for the cap around the zenith.
    pub name: Option<String>,
    /// Its cloud fraction now.
    pub now: Option<f64>,
    /// Readings of the last days, and those of them with 0 or 1 okta there.
    pub lately: (u64, u64),
}

/// The sky of a picture.
#[derive(Clone, Debug)]
pub struct DomeChart<'a> {
    pub look: Look,
    /// Name of the station for people.
    pub station: &'a str,
    pub slot: NaiveDateTime,
    pub cover: Cover,
    /// None where the picture shows no sky.
    pub dome: Option<&'a SkyDome>,
    /// What is above the horizon.
    pub bodies: &'a [BodyPlace],
    pub zones: &'a [ZoneCloud],
    /// Days of `ZoneCloud::lately`.
    pub days: i64,
}

impl DomeChart<'_> {
    /// The dome as SVG: marks of the class `dome` with the cloud of each place, `body` of what
    /// stands in the sky.
    pub fn svg(&self) -> String {
        let (look, lang) = (self.look, self.look.lang);
        let title = tell!(lang, "Dome of the sky", "Cúpula del cielo");
        let when = moment(lang, self.slot);
        let amount = match self.cover.okta() {
            Some(okta) => oktas(lang, okta),
            None => hidden(lang),
        };
        let place = format!("{} · {when} · {amount}", self.station);
        let side = (look.width() - 2.0 * look.margin()).min(WIDEST);
        let list = self.list();
        let layout = Layout {
            height: side,
            below: 14.0 + ROW * list.len() as f64,
            legend: &LEGEND,
            ..Layout::new(look, title, &place, &self.summary())
        };
        layout.draw(|plot| {
            let top = plot.frame.top;
            let disc = Disc {
                middle: (plot.width / 2.0, top + side / 2.0),
                radius: side / 2.0 - 22.0,
                is_oriented: self.dome.is_none_or(|dome| dome.is_oriented),
            };
            self.sky(plot, &disc);
            disc.rings(plot);
            if disc.is_oriented {
                disc.compass(plot);
                self.stand(plot, &disc);
            }
            for (n, line) in list.iter().enumerate() {
                let at = (plot.look.margin(), top + side + 18.0 + ROW * n as f64);
                plot.text(at, TextStyle::soft(LABEL, Anchor::Start), line);
            }
        })
    }

    fn summary(&self) -> String {
        let lang = self.look.lang;
        match self.dome {
            None => tell!(lang, "The picture shows no sky.", "La imagen no muestra el cielo."),
            Some(dome) if !dome.is_oriented => tell!(
                lang,
                "As in the picture; north is not in the settings.",
                "Como en la imagen; el norte no está en los ajustes."
            ),
            Some(_) => tell!(
                lang,
                "North up, as one sees it when looking up.",
                "El norte arriba, como se ve al mirar hacia arriba."
            ),
        }
    }

    fn sky(&self, plot: &mut Plot, disc: &Disc) {
        plot.circle(disc.middle, disc.radius, fill(PAPER));
        let lang = plot.lang;
        for place in self.dome.into_iter().flat_map(SkyDome::places) {
            let (data, paint) = match place.cloud {
                Some(cloud) => (decimal(Lang::En, cloud, 3), fill(mean_colour(8.0 * cloud))),
                None => (String::new(), fill(super::pattern::HATCHED)),
            };
            let data = format_args!("class=\"dome\" data-cloud=\"{data}\"");
            plot.open(data, &place_title(lang, &place, disc.is_oriented));
            let path = disc.path(&place);
            plot.raw(format_args!("<path d=\"{path}\" {paint} stroke=\"{PAPER}\" "));
            plot.raw(format_args!("stroke-width=\"0.6\"/>"));
            plot.close();
        }
    }

    /// Sun, moon and planets.
    fn stand(&self, plot: &mut Plot, disc: &Disc) {
        let lang = plot.lang;
        let slot = self.slot.format(MINUTE).to_string();
        for place in self.bodies {
            let at = disc.at(90.0 - place.elevation, place.azimuth);
            let data = format_args!("class=\"body\" data-slot=\"{slot}\"");
            plot.open(data, &body_title(lang, place));
            let (radius, paint) = match place.body {
                SkyBody::Sun => (8.0, outlined(SUN, INK, 2.0)),
                SkyBody::Moon(_) => (7.0, outlined(MOON, INK, 1.2)),
                SkyBody::Planet(_) => (4.0, outlined(PAPER, INK, 1.4)),
            };
            plot.circle(at, radius, paint);
            plot.close();
            let name = body_name(lang, place.body);
            // Inwards, where there would be no room outwards.
            let is_right = at.0 > disc.middle.0 + disc.radius * 0.5;
            let (anchor, x) = match is_right {
                true => (Anchor::End, at.0 - radius - 3.0),
                false => (Anchor::Start, at.0 + radius + 3.0),
            };
            let halo = format!("stroke=\"{PAPER}\" stroke-width=\"4\" stroke-linejoin=\"round\"");
            plot.raw(format_args!("<g pointer-events=\"none\" {halo} paint-order=\"stroke\">"));
            plot.text((x, at.1 + 4.5), TextStyle::ink(LABEL, anchor), &name);
            plot.close();
        }
    }

    /// What is told below: what stands in the sky, and the zones.
    fn list(&self) -> Vec<String> {
        let lang = self.look.lang;
        let mut lines = Vec::new();
        if self.dome.is_none_or(|dome| dome.is_oriented) && !self.bodies.is_empty() {
            let bodies = self.bodies.iter().map(|place| body_title(lang, place));
            lines.extend(bodies);
        }
        let known = self.zones.iter().filter(|zone| zone.now.is_some() || zone.lately.0 > 0);
        lines.extend(known.map(|zone| self.zone(zone)));
        lines
    }

    fn zone(&self, zone: &ZoneCloud) -> String {
        let (lang, days) = (self.look.lang, self.days);
        let usual = || tell!(lang, "around the zenith", "en torno al cenit");
        let name = zone.name.clone().unwrap_or_else(usual);
        let now = zone.now.map_or_else(|| "–".to_owned(), percent);
        let (read, clear) = zone.lately;
        let share = percent(clear as f64 / read as f64);
        let told = count(lang, read);
        match read {
            0 => tell!(lang, "{name}: cloud {now}", "{name}: nubes {now}"),
            _ => tell!(
                lang,
                "{name}: cloud {now}; clear in {share} of {told} readings of {days} days",
                "{name}: nubes {now}; despejado en el {share} de {told} lecturas de {days} días"
            ),
        }
    }
}

/// The circle of the horizon on paper.
struct Disc {
    middle: (f64, f64),
    radius: f64,
    is_oriented: bool,
}

impl Disc {
    /// The place of a zenith angle and of an angle in the dome's way of counting.
    fn at(&self, zenith_angle: f64, angle: f64) -> (f64, f64) {
        // Looking up, east is left of north.
        let turn = if self.is_oriented { -angle } else { angle }.to_radians();
        let out = self.radius * zenith_angle / 90.0;
        (self.middle.0 + out * turn.sin(), self.middle.1 - out * turn.cos())
    }

    fn path(&self, place: &DomePlace) -> String {
        let ((near, far), (begin, end)) = (place.ring, place.sector);
        let corners = [(near, begin), (far, begin), (far, end), (near, end)];
        let [a, b, c, d] = corners.map(|(zenith_angle, angle)| self.at(zenith_angle, angle));
        let arc = |zenith_angle: f64| Num(self.radius * zenith_angle / 90.0);
        let (outer, inner) = (arc(far), arc(near));
        let (there, back) = if self.is_oriented { (0, 1) } else { (1, 0) };
        let point = |(x, y): (f64, f64)| format!("{} {}", Num(x), Num(y));
        let [a, b, c, d] = [a, b, c, d].map(point);
        format!("M{a}L{b}A{outer} {outer} 0 0 {there} {c}L{d}A{inner} {inner} 0 0 {back} {a}Z")
    }

    /// Circles of height.
    fn rings(&self, plot: &mut Plot) {
        for height in [0, 30, 60] {
            let zenith_angle = 90.0 - f64::from(height);
            let radius = self.radius * zenith_angle / 90.0;
            let (colour, width) = if height == 0 { (AXIS, 1.4) } else { (GRID, 1.0) };
            plot.circle(self.middle, radius, outlined("none", colour, width));
            if height > 0 {
                let (x, y) = self.at(zenith_angle, 45.0);
                plot.raw(format_args!(
                    "<g pointer-events=\"none\" stroke=\"{PAPER}\" stroke-width=\"4\" \
                     stroke-linejoin=\"round\" paint-order=\"stroke\">"
                ));
                let style = TextStyle::ink(LABEL, Anchor::Middle);
                plot.text((x, y + 4.5), style, &format!("{height}°"));
                plot.close();
            }
        }
    }

    fn compass(&self, plot: &mut Plot) {
        let west = tell!(plot.lang, "W", "O");
        for (letter, azimuth) in [("N", 0.0), ("E", 90.0), ("S", 180.0), (&west, 270.0)] {
            let (x, y) = self.at(95.0, azimuth);
            plot.text((x, y + 5.0), TextStyle::ink(15.0, Anchor::Middle), letter);
            let (from, to) = (self.at(88.5, azimuth), self.at(91.5, azimuth));
            plot.line(from, to, stroke(AXIS, 1.6));
        }
    }
}

fn body_name(lang: Lang, body: SkyBody) -> String {
    match body {
        SkyBody::Sun => tell!(lang, "Sun", "Sol"),
        SkyBody::Moon(_) => tell!(lang, "Moon", "Luna"),
        SkyBody::Planet(Planet::Mercury) => tell!(lang, "Mercury", "Mercurio"),
        SkyBody::Planet(Planet::Venus) => tell!(lang, "Venus", "Venus"),
        SkyBody::Planet(Planet::Mars) => tell!(lang, "Mars", "Marte"),
        SkyBody::Planet(Planet::Jupiter) => tell!(lang, "Jupiter", "Júpiter"),
        SkyBody::Planet(Planet::Saturn) => tell!(lang, "Saturn", "Saturno"),
    }
}

/// `Moon, 62 % lit: height 34°, direction 120°`.
fn body_title(lang: Lang, place: &BodyPlace) -> String {
    let mut name = body_name(lang, place.body);
    if let SkyBody::Moon(lit) = place.body {
        let lit = percent(lit);
        name += &tell!(lang, ", {lit} lit", ", iluminada al {lit}");
    }
    let [height, azimuth] = [place.elevation, place.azimuth].map(|at| decimal(lang, at, 0));
    tell!(
        lang,
        "{name}: height {height}°, azimuth {azimuth}°",
        "{name}: altura {height}°, acimut {azimuth}°"
    )
}

fn place_title(lang: Lang, place: &DomePlace, is_oriented: bool) -> String {
    let [high, low] = [place.ring.0, place.ring.1].map(|angle| decimal(lang, 90.0 - angle, 0));
    let middle = decimal(lang, f64::midpoint(place.sector.0, place.sector.1), 0);
    let direction = match is_oriented {
        true => tell!(lang, ", azimuth {middle}°", ", acimut {middle}°"),
        false => String::new(),
    };
    match place.cloud.map(percent) {
        Some(cloud) => tell!(
            lang,
            "height {low}°–{high}°{direction} · {cloud} cloud",
            "altura {low}°–{high}°{direction} · {cloud} de nubes"
        ),
        None => tell!(
            lang,
            "height {low}°–{high}°{direction} · sky hidden",
            "altura {low}°–{high}°{direction} · cielo tapado"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, bare, count, parse};
    use celaje_sky::station::lens::Lens;

    fn lens(north: Option<f64>) -> Lens {
        Lens { north, ..Lens::new([0.5, 0.5], 0.5) }
    }

    fn chart(look: Look, dome: Option<&SkyDome>) -> String {
        let place = |body, azimuth| BodyPlace { body, elevation: 45.0, azimuth };
        let bodies =
            [place(SkyBody::Moon(0.62), 90.0), place(SkyBody::Planet(Planet::Jupiter), 180.0)];
        let zone = |name: Option<&str>, lately| ZoneCloud {
            name: name.map(str::to_owned),
            now: Some(0.25),
            lately,
        };
        let zones = [zone(None, (0, 0)), zone(Some("south"), (40, 10))];
        let cover = Cover::from_code(3).unwrap();
        let slot = at(11, 22, 2, 12);
        let (bodies, zones) = (&bodies[..], &zones[..]);
        let station = "Cerro";
        let svg = DomeChart { look, station, slot, cover, dome, bodies, zones, days: 30 }.svg();
        parse(&svg);
        svg
    }

    #[test]
    fn every_place_is_a_mark_and_what_stands_in_the_sky_lies_in_its_direction() {
        let mut dome = SkyDome::new(&lens(Some(0.0)));
        dome.area(35.0, 100.0).unwrap().cloud = 1.0;
        for look in [Look::alone(Lang::En), bare(Lang::En, 320.0)] {
            let svg = chart(look, Some(&dome));
            assert_eq!((count(&svg, "dome"), count(&svg, "body")), (192, 2));
            assert_eq!(svg.matches("100\u{a0}% cloud").count(), 1);
            assert!(svg.contains("south: cloud 25\u{a0}%; clear in 25\u{a0}% of 40 readings"));
            // The moon stands in the east, on the left of the middle.
            let x = |text: &str| -> f64 {
                let before = svg.split(text).next().unwrap();
                let at = before.rsplit("<text x=\"").next().unwrap();
                at.split('"').next().unwrap().parse().unwrap()
            };
            assert!(x(">Moon<") < x(">Jupiter<") - 50.0);
            assert!(x(">E<") < x(">N<") && x(">W<") > x(">N<"));
        }
    }

    #[test]
    fn without_north_there_is_no_compass_and_without_sky_no_cloud() {
        let svg = chart(bare(Lang::Es, 500.0), Some(&SkyDome::new(&lens(None))));
        assert_eq!((count(&svg, "dome"), count(&svg, "body")), (192, 0));
        assert!(!svg.contains(">N<") && svg.contains("el norte no está"));
        let svg = chart(bare(Lang::Es, 500.0), None);
        assert_eq!((count(&svg, "dome"), count(&svg, "body")), (0, 2));
    }
}
