//! The stations of the demo catalogue (`deploy/catalogue/stations.toml`) as simulated places.

use crate::{
    channel::{
        Channel,
        Channel::{
            AirTemperature, Ammonia, Battery, Co, Co2, Conductivity, Do, Flow, Humidity, Nitrate, No2, O3, Par, Ph,
            Pm10, Pm25, Pressure, Rain, Salinity, So2, SoilConductivity, SoilMoisture, SoilTemperature, Turbidity,
            WaterLevel, WaterTemperature, WindDirection, WindSpeed,
        },
    },
    site::{Place, Region, River, Site},
    wire::Wire,
};

/// Every simulated station.
#[must_use]
pub fn sites() -> Vec<Site> {
    let mut all = batu();
    all.extend(malang());
    all.extend(probolinggo());
    all.extend(pasuruan());
    all
}

/// Every topic that the device of a station publishes to, what its logger uploads later included.
#[must_use]
pub fn topics(station: &str) -> Vec<String> {
    wire(station).topics(station)
}

/// The device at a station, as `deploy/catalogue/networks.toml` knows it.
fn wire(station: &str) -> Wire {
    match station {
        "btu-alun-01" => Wire::Airgradient("ecda3b1eaaaf"),
        "btu-brantas-01" => Wire::Senml("urn:dev:mac:70b3d57ed0000011"),
        "mlg-arjosari-01" => Wire::Airgradient("d83bda1b4e07"),
        "mlg-wendit-01" => Wire::Senml("urn:dev:mac:70b3d57ed0000012"),
        "mlg-bango-01" => Wire::Chirpstack("24e124713d000021"),
        "prb-bjbr-02" => Wire::Chirpstack("70b3d57ed0000022"),
        "prb-mayangan-01" => Wire::Tts("dermaga-01", "70B3D57ED0000031"),
        "prb-kota-01" => Wire::Tasmota("tasmota_4F2A10"),
        "psr-gembong-01" => Wire::Logger("gembong"),
        _ => Wire::Json,
    }
}

fn site(id: &str, region: Region, elevation_m: f64, place: Place, channels: &[Channel]) -> Site {
    Site { id: id.to_owned(), region, elevation_m, place, channels: channels.to_vec(), wire: wire(id) }
}

fn batu() -> Vec<Site> {
    let headwater = River {
        base_flow_m3s: 1.6,
        gain_m3s: 5.0,
        rating: 7.5,
        zero_m: 0.08,
        lag_h: 1.2,
        waste: 0.04,
        conductivity: 210.0,
        turbidity: 7.0,
        silt: 30.0,
        ph: 7.6,
    };
    let weather = [Rain, AirTemperature, Humidity, Pressure, WindSpeed, WindDirection, Battery];
    vec![
        site(
            "btu-alun-01",
            Region::Batu,
            875.0,
            Place::Street { share_of_main_road: 0.55 },
            &[Pm25, Pm10, Co2, AirTemperature, Humidity],
        ),
        site(
            "btu-brantas-01",
            Region::Batu,
            905.0,
            Place::River(headwater),
            &[Do, Ph, WaterTemperature, Conductivity, Turbidity, WaterLevel, Flow],
        ),
        site("btu-bumiaji-01", Region::Batu, 930.0, Place::Weather, &weather),
    ]
}

fn malang() -> Vec<Site> {
    let brantas = River {
        base_flow_m3s: 14.0,
        gain_m3s: 22.0,
        rating: 32.0,
        zero_m: 0.2,
        lag_h: 2.6,
        waste: 0.34,
        conductivity: 390.0,
        turbidity: 26.0,
        silt: 38.0,
        ph: 7.3,
    };
    let bango = River {
        base_flow_m3s: 1.2,
        gain_m3s: 7.0,
        rating: 8.0,
        zero_m: 0.1,
        lag_h: 0.7,
        waste: 0.4,
        conductivity: 430.0,
        turbidity: 24.0,
        silt: 45.0,
        ph: 7.2,
    };
    vec![
        site(
            "mlg-kota-01",
            Region::Malang,
            445.0,
            Place::Street { share_of_main_road: 1.0 },
            &[Pm25, Pm10, No2, O3, So2, Co, AirTemperature, Humidity, Pressure],
        ),
        site(
            "mlg-arjosari-01",
            Region::Malang,
            485.0,
            Place::Street { share_of_main_road: 0.85 },
            &[Pm25, Pm10, Co2, AirTemperature, Humidity],
        ),
        site(
            "mlg-brantas-01",
            Region::Malang,
            425.0,
            Place::River(brantas),
            &[Do, Ph, WaterTemperature, Conductivity, Turbidity, Ammonia, WaterLevel],
        ),
        site(
            "mlg-wendit-01",
            Region::Malang,
            440.0,
            Place::Spring,
            &[Turbidity, Ph, Conductivity, WaterTemperature, Nitrate, WaterLevel],
        ),
        site("mlg-bango-01", Region::Malang, 430.0, Place::River(bango), &[WaterLevel, Rain, Battery]),
    ]
}

fn probolinggo() -> Vec<Site> {
    let region = Region::Probolinggo;
    vec![
        site(
            "prb-bjbr-01",
            region,
            1.0,
            Place::Creek,
            &[Do, Ph, WaterTemperature, Conductivity, Salinity, Turbidity, WaterLevel, AirTemperature, Humidity],
        ),
        site("prb-bjbr-02", region, 1.0, Place::Soil, &[SoilMoisture, SoilConductivity, SoilTemperature, Par, Battery]),
        site(
            "prb-mayangan-01",
            region,
            2.0,
            Place::Harbour,
            &[WaterLevel, WaterTemperature, Salinity, Do, WindSpeed, WindDirection],
        ),
        site(
            "prb-kota-01",
            region,
            8.0,
            Place::Street { share_of_main_road: 0.75 },
            &[Pm25, Pm10, AirTemperature, Humidity, Pressure],
        ),
    ]
}

fn pasuruan() -> Vec<Site> {
    let region = Region::Pasuruan;
    vec![
        site(
            "psr-kota-01",
            region,
            5.0,
            Place::Street { share_of_main_road: 0.9 },
            &[Pm25, Pm10, No2, O3, WindSpeed, WindDirection],
        ),
        site(
            "psr-gembong-01",
            region,
            2.0,
            Place::TidalRiver,
            &[WaterLevel, Salinity, Conductivity, Turbidity, Do, Rain, Battery],
        ),
        site("psr-bakau-01", region, 1.0, Place::Creek, &[Do, Salinity, WaterTemperature, Ph, WaterLevel]),
    ]
}
