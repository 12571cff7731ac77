//! Channels: the parameters that stations measure.

/// Something a station measures: a parameter, with a qualifier where a station has two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    Pm25,
    Pm10,
    No2,
    O3,
    So2,
    Co,
    Co2,
    AirTemperature,
    Humidity,
    Pressure,
    WindSpeed,
    WindDirection,
    Rain,
    Par,
    WaterTemperature,
    Ph,
    Do,
    Conductivity,
    Salinity,
    Tds,
    Turbidity,
    WaterLevel,
    Flow,
    Nitrate,
    Ammonia,
    SoilMoisture,
    SoilTemperature,
    SoilConductivity,
    Battery,
}

impl Channel {
    /// The part of a datastream's name behind the station: parameter code, and qualifier where there is one.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.written().0
    }

    /// The key of its values in the JSON that stations send.
    #[must_use]
    pub const fn key(self) -> &'static str {
        // A key holds no `@`.
        if matches!(self, Self::SoilConductivity) { "conductivity_porewater" } else { self.code() }
    }

    /// Digits behind the point that such an instrument sends.
    #[must_use]
    pub const fn digits(self) -> usize {
        self.written().1
    }

    const fn written(self) -> (&'static str, usize) {
        match self {
            Self::Pm25 => ("pm25", 1),
            Self::Pm10 => ("pm10", 1),
            Self::No2 => ("no2", 1),
            Self::O3 => ("o3", 1),
            Self::So2 => ("so2", 1),
            Self::Co => ("co", 0),
            Self::Co2 => ("co2", 0),
            Self::AirTemperature => ("air_temperature", 1),
            Self::Humidity => ("humidity", 1),
            Self::Pressure => ("pressure", 1),
            Self::WindSpeed => ("wind_speed", 1),
            Self::WindDirection => ("wind_direction", 0),
            Self::Rain => ("rain", 1),
            Self::Par => ("par", 0),
            Self::WaterTemperature => ("water_temperature", 2),
            Self::Ph => ("ph", 2),
            Self::Do => ("do", 2),
            Self::Conductivity => ("conductivity", 0),
            Self::Salinity => ("salinity", 2),
            Self::Tds => ("tds", 0),
            Self::Turbidity => ("turbidity", 1),
            Self::WaterLevel => ("water_level", 3),
            Self::Flow => ("flow", 2),
            Self::Nitrate => ("nitrate_n", 2),
            Self::Ammonia => ("ammonia_n", 2),
            Self::SoilMoisture => ("soil_moisture", 3),
            Self::SoilTemperature => ("soil_temperature", 2),
            Self::SoilConductivity => ("conductivity@porewater", 0),
            Self::Battery => ("battery", 2),
        }
    }
}
