//! The variables and attributes of a file.

use chrono::{DateTime, Utc};

use crate::export::about::{ExportAbout, StationAbout};
use crate::export::columns::{ANGLE, PROBABILITY, SHARE, rounded};
use crate::export::netcdf::classic::{Attribute, Attributes, Type, ValuePlace, Variable};
use crate::export::row::{ExportRow, LabelSpan, zones};
use crate::store::reader::{ExportSummary, ObservationItem};
use celaje_sky::outcome::MissReason;
use celaje_sky::quality::{Flag, Quality};

/// Writes what a row has in a variable.
type WriteRow = dyn Fn(&ExportRow<'_>, &mut Vec<u8>) + Send;

/// A variable, and what a row has in it.
pub(super) struct Field {
    pub(super) variable: Variable,
    pub(super) write: Box<WriteRow>,
}

/// What stands for a share or probability that is not there.
const NO_SHARE: f32 = -1.0;
/// For a code that is not there; no code is negative.
const NO_CODE: i8 = -127;
const NO_SHORT: i16 = -1;
const NO_ANGLE: f32 = -9999.0;
/// What is there of every row and not told of others.
const PLACE: &str = "latitude longitude station_id";
const EPOCH: &str = "seconds since 1970-01-01T00:00:00Z";
const CAMERA: &str = "Share of the sky that the camera sees inside the station's region of \
     interest; without a lens model it is a share of the picture's pixels, not of the sky's area.";

pub(super) fn length(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

fn fixed_number(name: &str, axis: &str, unit: &str, value: f64) -> Variable {
    Variable {
        name: name.to_owned(),
        kind: Type::Double,
        dimensions: Vec::new(),
        attributes: vec![
            ("standard_name", name.into()),
            ("long_name", format!("{name} of the station").into()),
            ("units", unit.into()),
            ("axis", axis.into()),
        ],
        place: ValuePlace::Fixed(value.to_be_bytes().to_vec()),
    }
}

/// Where the station is, and its name.
pub(super) fn fixed(station: &StationAbout) -> Vec<Variable> {
    vec![
        fixed_number("latitude", "Y", "degrees_north", station.latitude),
        fixed_number("longitude", "X", "degrees_east", station.longitude),
        Variable {
            name: "station_id".to_owned(),
            kind: Type::Char,
            dimensions: vec![1],
            attributes: vec![
                ("long_name", "id of the station".into()),
                ("cf_role", "timeseries_id".into()),
            ],
            place: ValuePlace::Fixed(station.id.as_bytes().to_vec()),
        },
    ]
}

fn variable(name: &str, kind: Type, bytes: u32, attributes: Attributes) -> Variable {
    Variable {
        name: name.to_owned(),
        kind,
        dimensions: vec![0],
        attributes,
        place: ValuePlace::Records { bytes },
    }
}

fn time(
    name: &str,
    more: Attributes,
    of: impl Fn(&ExportRow<'_>) -> Option<DateTime<Utc>> + Send + 'static,
) -> Field {
    let mut attributes: Attributes = vec![
        ("standard_name", "time".into()),
        ("units", EPOCH.into()),
        ("calendar", "standard".into()),
        ("units_metadata", "leap_seconds: utc".into()),
    ];
    attributes.extend(more);
    let variable = variable(name, Type::Double, 8, attributes);
    let write = move |row: &ExportRow<'_>, out: &mut Vec<u8>| {
        // The range of a double takes every millisecond of the years that slots can have.
        let seconds = of(row).map_or(NO_TIME, |at| at.timestamp_millis() as f64 / 1000.0);
        out.extend_from_slice(&seconds.to_be_bytes());
    };
    Field { variable, write: Box::new(write) }
}

const NO_TIME: f64 = -1e20;

fn float(
    name: &str,
    fill: f32,
    attributes: Attributes,
    of: impl Fn(&ExportRow<'_>) -> Option<f64> + Send + 'static,
) -> Field {
    let mut all = vec![("_FillValue", Attribute::Floats(vec![fill]))];
    all.extend(attributes);
    let write = move |row: &ExportRow<'_>, out: &mut Vec<u8>| {
        let value = of(row).map_or(fill, |value| value as f32);
        out.extend_from_slice(&value.to_be_bytes());
    };
    Field { variable: variable(name, Type::Float, 4, all), write: Box::new(write) }
}

fn byte(
    name: &str,
    attributes: Attributes,
    of: impl Fn(&ExportRow<'_>) -> Option<i8> + Send + 'static,
) -> Field {
    let mut all = vec![("_FillValue", Attribute::Bytes(vec![NO_CODE]))];
    all.extend(attributes);
    let write = move |row: &ExportRow<'_>, out: &mut Vec<u8>| {
        out.extend_from_slice(&of(row).unwrap_or(NO_CODE).to_be_bytes());
    };
    Field { variable: variable(name, Type::Byte, 1, all), write: Box::new(write) }
}

fn item<'a>(row: &ExportRow<'a>) -> Option<&'a ObservationItem> {
    row.reading().map(|reading| &reading.item)
}

/// An amount in eighths; 9 is none.
fn amount(code: i32) -> Option<i8> {
    i8::try_from(code).ok().filter(|code| (0..=8).contains(code))
}

/// An amount of the sky in eighths.
fn eighths(
    name: &str,
    long_name: &str,
    of: impl Fn(&ExportRow<'_>) -> Option<i32> + Send + 'static,
) -> Field {
    let attributes = vec![
        ("long_name", long_name.into()),
        ("standard_name", "cloud_area_fraction".into()),
        ("units", "0.125".into()),
        ("valid_min", Attribute::Bytes(vec![0])),
        ("valid_max", Attribute::Bytes(vec![8])),
        ("coordinates", PLACE.into()),
        ("coverage_content_type", "physicalMeasurement".into()),
    ];
    byte(name, attributes, move |row| of(row).and_then(amount))
}

fn share(
    name: &str,
    long_name: String,
    more: Attributes,
    of: impl Fn(&ExportRow<'_>) -> Option<f64> + Send + 'static,
) -> Field {
    let mut attributes: Attributes = vec![
        ("long_name", long_name.into()),
        ("units", "1".into()),
        ("valid_min", Attribute::Floats(vec![0.0])),
        ("valid_max", Attribute::Floats(vec![1.0])),
        ("coordinates", PLACE.into()),
    ];
    attributes.extend(more);
    float(name, NO_SHARE, attributes, of)
}

fn cloud(more: Attributes) -> Attributes {
    let mut attributes: Attributes = vec![
        ("standard_name", "cloud_area_fraction".into()),
        ("coverage_content_type", "physicalMeasurement".into()),
        ("comment", CAMERA.into()),
    ];
    attributes.extend(more);
    attributes
}

/// What may stand in `flag_meanings`.
fn meaning(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.+@".contains(c) { c } else { '_' };
    name.chars().map(plain).collect()
}

/// The variables that every row has a value in, in the order of the file.
pub(super) fn fields(summary: &ExportSummary, has_labels: bool) -> Vec<Field> {
    let axis = vec![("long_name", "moment of the slot".into()), ("axis", "T".into())];
    let mut fields = vec![
        time("time", axis, |row| row.instant),
        share(
            "cloud_area_fraction",
            "cloud fraction of the sky that the camera sees".to_owned(),
            cloud(vec![("ancillary_variables", "confidence quality_flag slot_status".into())]),
            |row| item(row)?.cloud_fraction.map(|share| rounded(share, SHARE)),
        ),
        eighths("okta", "cloud amount in eighths of the sky", |row| Some(item(row)?.okta)),
        eighths(
            "okta_low",
            "least okta of the range that holds the true one in 90 of 100 cases",
            |row| item(row)?.okta_low,
        ),
        eighths("okta_high", "greatest okta of that range", |row| item(row)?.okta_high),
        obscured(
            "sky_obscured",
            "whether the sky cannot be seen (code 9 of WMO table 2700)",
            |row| Some(item(row)?.okta),
        ),
        share(
            "confidence",
            "probability that okta is right".to_owned(),
            vec![("coverage_content_type", "qualityInformation".into())],
            |row| item(row)?.confidence.map(|value| rounded(value, PROBABILITY)),
        ),
        quality(),
        float(
            "solar_elevation_angle",
            NO_ANGLE,
            vec![
                ("long_name", "the sun's centre above the horizon, without refraction".into()),
                ("standard_name", "solar_elevation_angle".into()),
                ("units", "degree".into()),
                ("coordinates", PLACE.into()),
                ("coverage_content_type", "auxiliaryInformation".into()),
            ],
            |row| item(row)?.solar_elevation.map(|angle| rounded(angle, ANGLE)),
        ),
        status(),
    ];
    fields.extend(model(summary));
    if summary.zenith > 0 {
        let long_name = "cloud fraction of the cap around the zenith".to_owned();
        fields.push(share("zenith_cloud_fraction", long_name, cloud(vec![]), |row| {
            item(row)?.zenith_fraction.map(|share| rounded(share, SHARE))
        }));
    }
    fields.extend(summary.zones.iter().enumerate().map(|(at, name)| zone(at, name)));
    if has_labels {
        let label = |name, long_name, of: fn(LabelSpan) -> i32| {
            eighths(name, long_name, move |row| row.label.map(of))
        };
        fields.push(label("label_okta", "okta that a person saw first", |label| label.first));
        fields.push(label("label_low", "least okta that a person saw", |label| label.low));
        fields.push(label("label_high", "greatest okta that a person saw", |label| label.high));
        let hidden = "whether the first person saw that the sky cannot be seen";
        fields.push(obscured("label_obscured", hidden, |row| Some(row.label?.first)));
    }
    if summary.taken > 0 {
        let more = vec![
            ("long_name", "when the picture was taken".into()),
            ("_FillValue", Attribute::Doubles(vec![NO_TIME])),
            ("coordinates", PLACE.into()),
        ];
        fields.push(time("taken_at", more, |row| item(row)?.taken_at.as_deref()?.parse().ok()));
    }
    fields.extend(picture_name(summary.picture_name_bytes));
    fields
}

/// Whether an okta is code 9, for which [`eighths`] have no value.
fn obscured(
    name: &str,
    long_name: &str,
    okta: impl Fn(&ExportRow<'_>) -> Option<i32> + Send + 'static,
) -> Field {
    let attributes = vec![
        ("long_name", long_name.into()),
        ("standard_name", "status_flag".into()),
        ("flag_values", Attribute::Bytes(vec![0, 1])),
        ("flag_meanings", "visible obscured".into()),
        ("coordinates", PLACE.into()),
        ("coverage_content_type", "qualityInformation".into()),
    ];
    byte(name, attributes, move |row| Some((okta(row)? == 9).into()))
}

/// One bit for each flag.
fn quality() -> Field {
    let masks = (0..Flag::ALL.len()).map(|bit| 1i16 << bit).collect();
    let attributes = vec![
        ("_FillValue", Attribute::Shorts(vec![NO_SHORT])),
        ("long_name", "what is to be known of a reading".into()),
        ("standard_name", "quality_flag".into()),
        ("flag_masks", Attribute::Shorts(masks)),
        ("flag_meanings", Flag::ALL.map(Flag::as_str).join(" ").into()),
        ("coordinates", PLACE.into()),
        ("coverage_content_type", "qualityInformation".into()),
    ];
    let write = |row: &ExportRow<'_>, out: &mut Vec<u8>| {
        let quality = item(row).and_then(|item| item.quality.as_deref()).map(Quality::parse);
        let bits = quality.map_or(NO_SHORT, |quality| {
            let bit = |(at, flag)| if quality.has(flag) { 1i16 << at } else { 0 };
            Flag::ALL.into_iter().enumerate().map(bit).sum()
        });
        out.extend_from_slice(&bits.to_be_bytes());
    };
    Field { variable: variable("quality_flag", Type::Short, 2, attributes), write: Box::new(write) }
}

/// Whether the slot has a reading, and why it has none.
fn status() -> Field {
    let names = MissReason::ALL.map(MissReason::as_str);
    let place = move |reason: &str| names.iter().position(|name| *name == reason);
    let values = (0..=names.len()).filter_map(|n| i8::try_from(n).ok()).collect();
    let attributes = vec![
        ("long_name", "whether the slot has a reading, or why it has none".into()),
        ("standard_name", "status_flag".into()),
        ("flag_values", Attribute::Bytes(values)),
        ("flag_meanings", format!("reading {}", names.join(" ")).into()),
        ("coordinates", PLACE.into()),
        ("coverage_content_type", "qualityInformation".into()),
    ];
    byte("slot_status", attributes, move |row| match row.reason() {
        None => Some(0),
        Some(reason) => i8::try_from(place(reason)? + 1).ok(),
    })
}

/// Which model read; none where no row says.
fn model(summary: &ExportSummary) -> Option<Field> {
    let models: Vec<_> = summary
        .models
        .iter()
        .filter_map(|model| Some((model.model.clone()?, model.model_sha256.clone())))
        .collect();
    if models.is_empty() {
        return None;
    }
    let values = (0..models.len()).filter_map(|n| i16::try_from(n).ok()).collect();
    let names = models.iter().map(|(name, sha256)| match sha256 {
        Some(sha256) => meaning(&format!("{name} {sha256}")),
        None => meaning(name),
    });
    let attributes = vec![
        ("_FillValue", Attribute::Shorts(vec![NO_SHORT])),
        ("long_name", "model that read: name, version and SHA-256 of its file".into()),
        ("flag_values", Attribute::Shorts(values)),
        ("flag_meanings", names.collect::<Vec<_>>().join(" ").into()),
        ("coordinates", PLACE.into()),
        ("coverage_content_type", "auxiliaryInformation".into()),
    ];
    let write = move |row: &ExportRow<'_>, out: &mut Vec<u8>| {
        let place = row.reading().and_then(|reading| {
            let own = (reading.item.model.clone()?, reading.model_sha256.clone());
            models.iter().position(|model| *model == own)
        });
        let place = place.and_then(|place| i16::try_from(place).ok()).unwrap_or(NO_SHORT);
        out.extend_from_slice(&place.to_be_bytes());
    };
    Some(Field { variable: variable("model", Type::Short, 2, attributes), write: Box::new(write) })
}

/// A zone's cloud fraction. Its number comes first: two names may be one when what NetCDF does not
/// take is left out.
fn zone(at: usize, name: &str) -> Field {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let plain: String = name.chars().map(plain).take(40).collect();
    let long_name = format!("cloud fraction of the zone {name}");
    let wanted = name.to_owned();
    share(&format!("zone_{}_{plain}", at + 1), long_name, cloud(vec![]), move |row| {
        zones(item(row)?.zones.as_deref()?)?.get(&wanted).copied().flatten()
    })
}

/// The picture's own file; none where no row names it.
fn picture_name(most: usize) -> Option<Field> {
    let bytes = u32::try_from(most).ok().filter(|bytes| *bytes > 0)?;
    let attributes = vec![
        ("long_name", "name of the picture's own file, where it is not the slot's".into()),
        ("_Encoding", "utf-8".into()),
        ("coordinates", PLACE.into()),
    ];
    let mut variable = variable("picture_name", Type::Char, bytes, attributes);
    variable.dimensions.push(2);
    let write = move |row: &ExportRow<'_>, out: &mut Vec<u8>| {
        let name = item(row).and_then(|item| item.picture_name.as_deref()).unwrap_or_default();
        let name = name.as_bytes().get(..most).unwrap_or(name.as_bytes());
        out.extend_from_slice(name);
        out.resize(out.len() + most - name.len(), 0);
    };
    Some(Field { variable, write: Box::new(write) })
}

/// What the file says of itself.
pub(super) fn global(about: &ExportAbout, station: &StationAbout) -> Attributes {
    let models = station.models.iter().map(|model| {
        let name = model.name.as_deref().unwrap_or("unnamed");
        match &model.sha256 {
            Some(sha256) => format!("{name} (SHA-256 {sha256}, {} readings)", model.readings),
            None => format!("{name} ({} readings)", model.readings),
        }
    });
    let models = models.collect::<Vec<_>>().join(", ");
    let (readings, missed) = (station.readings, station.missed());
    let misses: Vec<_> = station.misses.iter().map(|(reason, n)| format!("{reason} {n}")).collect();
    let misses = match missed {
        0 => String::new(),
        _ => format!(" ({})", misses.join(", ")),
    };
    let license = "No licence is stated; ask who runs the station.";
    let (latitude, longitude) = (station.latitude, station.longitude);
    let mut attributes: Attributes = vec![
        ("Conventions", "CF-1.11, ACDD-1.3".into()),
        ("featureType", "timeSeries".into()),
        ("title", about.title.clone().into()),
        (
            "summary",
            "Amount of cloud that a neural network reads in the pictures of a sky camera, slot by \
             slot, with the probability that each reading is right. A slot without a reading says \
             in slot_status why."
                .into(),
        ),
        ("keywords", "cloud area fraction, okta, sky camera, all-sky camera".into()),
        ("id", format!("{}.{}", about.record, station.id).into()),
        ("naming_authority", "celaje".into()),
        ("source", format!("{}; models: {models}", about.program).into()),
        ("processing_level", "read from single pictures, not averaged".into()),
        ("history", format!("{}: exported by {}", about.created_at, about.program).into()),
        ("license", about.licence.clone().unwrap_or_else(|| license.to_owned()).into()),
        ("references", about.cite.clone().into()),
        (
            "comment",
            format!(
                "{readings} readings, {missed} slots without one{misses}. A reading is of one \
                 direction and moment; 0 oktas: at most 1 % cloud, 8 oktas: at least 99 %."
            )
            .into(),
        ),
        ("date_created", about.created_at.clone().into()),
        ("platform", "ground-based camera".into()),
        ("geospatial_lat_min", Attribute::Doubles(vec![latitude])),
        ("geospatial_lat_max", Attribute::Doubles(vec![latitude])),
        ("geospatial_lat_units", "degrees_north".into()),
        ("geospatial_lon_min", Attribute::Doubles(vec![longitude])),
        ("geospatial_lon_max", Attribute::Doubles(vec![longitude])),
        ("geospatial_lon_units", "degrees_east".into()),
        ("geospatial_bounds", format!("POINT ({latitude} {longitude})").into()),
        ("geospatial_bounds_crs", "EPSG:4326".into()),
    ];
    let told = [
        ("institution", about.institution.clone()),
        ("creator_name", about.institution.clone()),
        ("creator_email", about.contact.clone().filter(|contact| contact.contains('@'))),
        ("creator_url", about.url.clone()),
        ("time_coverage_start", station.first_utc.clone()),
        ("time_coverage_end", station.last_utc.clone()),
        ("wigos_id", station.wigos.clone()),
        (
            "skill",
            station.skill.map(|skill| {
                let share = |name: &str, value: celaje_sky::evaluate::figures::Estimate| {
                    format!("{name} {:.2} ({:.2} to {:.2})", value.value, value.low, value.high)
                };
                let (exact, near) =
                    (share("right", skill.exact), share("at most one okta off", skill.within_one));
                format!("{exact}, {near}, by {} labelled pictures drawn at random", skill.labels)
            }),
        ),
    ];
    attributes.extend(told.into_iter().filter_map(|(name, text)| Some((name, text?.into()))));
    attributes
}
