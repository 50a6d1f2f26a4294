//! Cloud amount in oktas, by the rules of the World Meteorological Organization.
//!
//! Source: WMO, Manual on Codes, code table 2700, and the okta rules that go with it: 0 only
//! without any cloud, 8 only without any gap; any trace of cloud gives at least 1, any gap at
//! most 7.

use std::fmt;

/// Cloud fraction up to which a sky counts as cloudless, and by which a full cover may fall short
/// of 1: the share that noise and a few misjudged pixels make up.
pub const EDGE_EPSILON: f64 = 0.01;

/// Cloud amount in eighths of the sky, 0 to 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Okta(u8);

impl Okta {
    /// The nine amounts.
    pub const ALL: [Self; 9] =
        [Self(0), Self(1), Self(2), Self(3), Self(4), Self(5), Self(6), Self(7), Self(8)];

    /// The amount `eighths`; none above 8.
    pub const fn new(eighths: u8) -> Option<Self> {
        if eighths <= 8 { Some(Self(eighths)) } else { None }
    }

    /// The amount for a cloud fraction (0 to 1, clamped): 0 up to [`EDGE_EPSILON`], 8 from
    /// `1 - EDGE_EPSILON`, between them the nearest eighth from 1 to 7 (halves go up).
    ///
    /// ```
    /// use celaje_sky::okta::Okta;
    /// assert_eq!(Okta::from_fraction(0.01).eighths(), 0);
    /// assert_eq!(Okta::from_fraction(0.02).eighths(), 1);
    /// assert_eq!(Okta::from_fraction(0.98).eighths(), 7);
    /// ```
    pub fn from_fraction(fraction: f64) -> Self {
        Self::ALL[Self::upper_edges().iter().take_while(|edge| !edge.holds(fraction)).count()]
    }

    /// The cloud fractions that lie between neighbouring amounts: `edges()[k]` separates k from
    /// k + 1.
    pub fn edges() -> [f64; 8] {
        Self::upper_edges().map(|edge| edge.at)
    }

    fn upper_edges() -> [Edge; 8] {
        std::array::from_fn(|k| match k {
            0 => Edge { at: EDGE_EPSILON, inclusive: true },
            7 => Edge { at: 1.0 - EDGE_EPSILON, inclusive: false },
            _ => Edge { at: (k as f64 + 0.5) / 8.0, inclusive: false },
        })
    }

    /// Eighths, 0 to 8.
    pub const fn eighths(self) -> u8 {
        self.0
    }

    /// The METAR group of this amount (WMO code 49-2).
    pub const fn category(self) -> Category {
        match self.0 {
            0 => Category::Skc,
            1 | 2 => Category::Few,
            3 | 4 => Category::Sct,
            5..=7 => Category::Bkn,
            _ => Category::Ovc,
        }
    }
}

/// Neighbouring amounts, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "(u8, u8)", into = "(u8, u8)")]
pub struct OktaRange {
    low: Okta,
    high: Okta,
}

impl TryFrom<(u8, u8)> for OktaRange {
    type Error = String;

    fn try_from((low, high): (u8, u8)) -> Result<Self, String> {
        let ends = Okta::new(low).zip(Okta::new(high));
        let range = ends.and_then(|(low, high)| Self::new(low, high));
        range.ok_or_else(|| format!("{low} to {high} are no oktas"))
    }
}

impl From<OktaRange> for (u8, u8) {
    fn from(range: OktaRange) -> Self {
        (range.low.eighths(), range.high.eighths())
    }
}

impl OktaRange {
    /// The amounts from `low` to `high`; none if `low` is above `high`.
    pub fn new(low: Okta, high: Okta) -> Option<Self> {
        (low <= high).then_some(Self { low, high })
    }

    /// `okta` alone.
    pub const fn of(okta: Okta) -> Self {
        Self { low: okta, high: okta }
    }

    /// The least amount.
    pub const fn low(self) -> Okta {
        self.low
    }

    /// The greatest amount.
    pub const fn high(self) -> Okta {
        self.high
    }

    /// Whether `okta` is one of them.
    pub fn holds(self, okta: Okta) -> bool {
        self.low <= okta && okta <= self.high
    }

    /// Wider by `oktas` at either end, within 0 to 8.
    #[must_use]
    pub const fn widened(self, oktas: u8) -> Self {
        let high = self.high.0.saturating_add(oktas);
        Self {
            low: Okta(self.low.0.saturating_sub(oktas)),
            high: Okta(if high > 8 { 8 } else { high }),
        }
    }
}

impl fmt::Display for Okta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The upper end of an amount's interval of fractions.
#[derive(Clone, Copy)]
struct Edge {
    at: f64,
    inclusive: bool,
}

impl Edge {
    fn holds(self, fraction: f64) -> bool {
        fraction < self.at || (self.inclusive && fraction <= self.at)
    }
}

/// METAR cloud-amount groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Sky clear, 0 oktas.
    Skc,
    /// Few, 1 to 2 oktas.
    Few,
    /// Scattered, 3 to 4 oktas.
    Sct,
    /// Broken, 5 to 7 oktas.
    Bkn,
    /// Overcast, 8 oktas.
    Ovc,
}

impl Category {
    /// The group's code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skc => "SKC",
            Self::Few => "FEW",
            Self::Sct => "SCT",
            Self::Bkn => "BKN",
            Self::Ovc => "OVC",
        }
    }

    /// The Spanish description, as the replaced system stores it.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Skc => "Cielo despejado",
            Self::Few => "Pocas nubes",
            Self::Sct => "Nubes dispersas",
            Self::Bkn => "Muy nublado",
            Self::Ovc => "Cubierto",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn edges_follow_the_wmo_rules() {
        let cases = [
            (0.0, 0),
            (0.01, 0),
            (0.0101, 1),
            (0.1874, 1),
            (0.1875, 2),
            (0.5, 4),
            (0.8124, 6),
            (0.8125, 7),
            (0.9899, 7),
            (0.99, 8),
            (1.0, 8),
            (-1.0, 0),
            (2.0, 8),
        ];
        for (fraction, eighths) in cases {
            assert_eq!(Okta::from_fraction(fraction).eighths(), eighths, "fraction {fraction}");
        }
    }

    #[test]
    fn a_range_stays_within_the_scale() {
        let range = |low: usize, high: usize| OktaRange::new(Okta::ALL[low], Okta::ALL[high]);
        assert_eq!(range(5, 4), None);
        let some = range(5, 7).unwrap();
        assert!(some.holds(Okta::ALL[5]) && some.holds(Okta::ALL[7]));
        assert!(!some.holds(Okta::ALL[4]) && !some.holds(Okta::ALL[8]));
        assert_eq!(Some(some.widened(1)), range(4, 8));
        assert_eq!(Some(some.widened(200)), range(0, 8));
        assert_eq!(Some(OktaRange::of(Okta::ALL[3])), range(3, 3));
    }

    proptest! {
        #[test]
        fn more_cloud_never_gives_fewer_oktas(a in 0.0..=1.0f64, b in 0.0..=1.0f64) {
            let (low, high) = if a <= b { (a, b) } else { (b, a) };
            prop_assert!(Okta::from_fraction(low) <= Okta::from_fraction(high));
        }

        #[test]
        fn between_the_edges_it_is_the_nearest_eighth(fraction in 0.0101..0.9899f64) {
            let okta = f64::from(Okta::from_fraction(fraction).eighths());
            prop_assert!((1.0..=7.0).contains(&okta));
            let distances = (1..=7).map(|k| (f64::from(k) / 8.0 - fraction).abs());
            let nearest = distances.fold(1.0, f64::min);
            prop_assert!((okta / 8.0 - fraction).abs() <= nearest + 1e-12);
        }
    }
}
