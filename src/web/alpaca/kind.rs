//! The kinds of Alpaca's devices.

/// What a station is to Alpaca.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum DeviceKind {
    SafetyMonitor,
    ObservingConditions,
}

impl DeviceKind {
    pub(super) const ALL: [Self; 2] = [Self::SafetyMonitor, Self::ObservingConditions];

    /// Its name, as the management gives it.
    pub(super) const fn type_name(self) -> &'static str {
        match self {
            Self::SafetyMonitor => "SafetyMonitor",
            Self::ObservingConditions => "ObservingConditions",
        }
    }

    /// Of its name in a path, in lower case.
    pub(super) fn of_path(name: &str) -> Option<Self> {
        match name {
            "safetymonitor" => Some(Self::SafetyMonitor),
            "observingconditions" => Some(Self::ObservingConditions),
            _ => None,
        }
    }

    /// The version of its interface.
    pub(super) const fn interface(self) -> u32 {
        match self {
            Self::SafetyMonitor => 3,
            Self::ObservingConditions => 2,
        }
    }
}
