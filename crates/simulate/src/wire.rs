//! How a station's device writes what it measured: its topics, its payload, its units, and how it says that it is there.

use bakau_model::{HOUR_MS, UtcMillis};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::{channel::Channel, mqtt::Message, report::Report};

/// Java Standard Time: what a device without a time zone of its own shows (WIB, UTC+7, no summer time).
const WIB_MS: i64 = 7 * HOUR_MS;

/// The kind of device at a station, with the ids under which its network knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Bakau's own JSON on `bakau/{station}/data`.
    Json,
    /// A data logger that names itself in a nested document and has local times.
    Logger(&'static str),
    /// A LoRaWAN device behind ChirpStack v4, by its EUI.
    Chirpstack(&'static str),
    /// A LoRaWAN device behind The Things Stack v3: device id and EUI.
    Tts(&'static str, &'static str),
    /// SenML (RFC 8428), by the base name without the colon at its end.
    Senml(&'static str),
    /// Tasmota, by its topic.
    Tasmota(&'static str),
    /// AirGradient, by its serial number.
    Airgradient(&'static str),
}

/// Where a value stands in a payload: path from the decoded object, and the power of ten from the canonical unit to that
/// of the device.
#[derive(Clone, Copy)]
struct Field(&'static str, i32);

// === the fields that have other names than our keys ===

const LOGGER: &[(Channel, Field)] = &[
    (Channel::WaterLevel, Field("level_cm", 2)),
    (Channel::Rain, Field("rain_mm", 0)),
    (Channel::Conductivity, Field("ec_ms", -3)),
    (Channel::Battery, Field("batt_mv", 3)),
];

const CHIRPSTACK: &[(Channel, Field)] = &[
    (Channel::Rain, Field("rain_mm", 0)),
    (Channel::WaterLevel, Field("level/cm", 2)),
    (Channel::Battery, Field("battery/mv", 3)),
    (Channel::SoilMoisture, Field("soil/moisture", 2)),
    (Channel::SoilConductivity, Field("soil/ec", -3)),
    (Channel::SoilTemperature, Field("soil/temp", 0)),
];

const TTS: &[(Channel, Field)] = &[
    (Channel::WaterLevel, Field("tide_cm", 2)),
    (Channel::WaterTemperature, Field("water_temp", 0)),
    (Channel::WindSpeed, Field("wind/speed", 0)),
    (Channel::WindDirection, Field("wind/dir", 0)),
];

const SENML: &[(Channel, Field)] = &[
    (Channel::WaterTemperature, Field("temp", 0)),
    (Channel::Conductivity, Field("ec", -4)),
    (Channel::WaterLevel, Field("level", 0)),
];

const TASMOTA: &[(Channel, Field)] = &[
    (Channel::AirTemperature, Field("BME280/Temperature", 0)),
    (Channel::Humidity, Field("BME280/Humidity", 0)),
    (Channel::Pressure, Field("BME280/Pressure", 0)),
    (Channel::Pm25, Field("PMS5003/PM2.5", 0)),
    (Channel::Pm10, Field("PMS5003/PM10", 0)),
];

const AIRGRADIENT: &[(Channel, Field)] = &[
    (Channel::Pm25, Field("pm02Compensated", 0)),
    (Channel::AirTemperature, Field("atmpCompensated", 0)),
    (Channel::Humidity, Field("rhumCompensated", 0)),
    (Channel::Co2, Field("rco2", 0)),
];

impl Wire {
    /// The topic of its measurements.
    #[must_use]
    pub fn topic(self, station: &str) -> String {
        match self {
            Self::Json => format!("bakau/{station}/data"),
            Self::Logger(name) => format!("loggers/{name}/up"),
            Self::Chirpstack(eui) => {
                format!("application/17c82e96-be03-4f38-aef3-f83d48582d97/device/{eui}/event/up")
            }
            Self::Tts(id, _) => format!("v3/pesisir@ttn/devices/{id}/up"),
            Self::Senml(name) => format!("senml/{}", name.rsplit(':').next().unwrap_or(name)),
            Self::Tasmota(name) => format!("tele/{name}/SENSOR"),
            Self::Airgradient(serial) => format!("airgradient/readings/{serial}"),
        }
    }

    /// Its message that it is there or, as its last will, that it is gone; `None` where such devices have none: behind a
    /// radio network nobody notices when they stop, until they are late.
    #[must_use]
    pub fn status(self, station: &str, is_online: bool) -> Option<Message> {
        let (topic, says) = match self {
            Self::Json | Self::Logger(_) | Self::Senml(_) => {
                (format!("bakau/{station}/status"), if is_online { "online" } else { "offline" })
            }
            Self::Tasmota(name) => (format!("tele/{name}/LWT"), if is_online { "Online" } else { "Offline" }),
            Self::Chirpstack(_) | Self::Tts(..) | Self::Airgradient(_) => return None,
        };
        Some(Message { topic, payload: Bytes::from_static(says.as_bytes()) })
    }

    /// Every topic the device publishes to, what its station uploads later included.
    #[must_use]
    pub fn topics(self, station: &str) -> Vec<String> {
        let status = self.status(station, true).map(|message| message.topic);
        [self.topic(station), format!("bakau/{station}/history")].into_iter().chain(status).collect()
    }

    /// The message of a report.
    #[must_use]
    pub fn message(self, station: &str, report: &Report) -> Message {
        let payload = match self {
            Self::Json => report.payload(),
            Self::Senml(name) => Bytes::from(senml(name, report).to_string()),
            Self::Logger(_) | Self::Chirpstack(_) | Self::Tts(..) | Self::Tasmota(_) | Self::Airgradient(_) => {
                Bytes::from(self.document(report).to_string())
            }
        };
        Message { topic: self.topic(station), payload }
    }

    /// The document of the formats that are one.
    fn document(self, report: &Report) -> Value {
        let (values, time) = (self.object(report), report.time);
        match self {
            Self::Json | Self::Senml(_) => values,
            Self::Logger(name) => {
                let mut row = values;
                row["at"] = json!(local(time).replace('T', " "));
                json!({"logger": name, "data": {"rows": [row]}})
            }
            Self::Chirpstack(eui) => json!({
                "deduplicationId": deduplication_id(time), "time": time.to_string(),
                "deviceInfo": {"tenantName": "bakau", "applicationName": "demo", "deviceName": eui, "devEui": eui},
                "devAddr": "0189440b", "adr": true, "dr": 3, "fPort": 2, "confirmed": false, "object": values,
                "rxInfo": [{"gatewayId": "0016c001f1500812", "rssi": -97, "snr": 6.2}],
                "txInfo": {"frequency": 921_400_000},
            }),
            Self::Tts(id, eui) => json!({
                "end_device_ids": {
                    "device_id": id, "application_ids": {"application_id": "pesisir"},
                    "dev_eui": eui, "dev_addr": "260B1234",
                },
                "received_at": time.to_string(),
                "uplink_message": {
                    "f_port": 2, "decoded_payload": values, "received_at": time.to_string(),
                    "rx_metadata": [{
                        "gateway_ids": {"gateway_id": "prb-dermaga"}, "time": time.to_string(), "rssi": -97, "snr": 6.2,
                    }],
                },
            }),
            Self::Tasmota(_) => {
                let mut document = values;
                document["Time"] = json!(local(time));
                document["PressureUnit"] = json!("hPa");
                document["TempUnit"] = json!("C");
                document
            }
            Self::Airgradient(serial) => {
                let mut document = values;
                for (key, value) in [("serialno", serial), ("firmware", "3.1.9"), ("model", "O-1PST")] {
                    document[key] = json!(value);
                }
                document["wifi"] = json!(-51);
                document
            }
        }
    }

    /// The values, each at its path.
    fn object(self, report: &Report) -> Value {
        let mut object = Map::new();
        for (channel, value) in &report.values {
            let Field(path, shift) = self.field(*channel);
            let written = value.map_or(Value::Null, |value| written(*channel, value, shift));
            let (outer, inner) = path.split_once('/').map_or((path, None), |(outer, inner)| (outer, Some(inner)));
            match inner {
                None => {
                    object.insert(outer.to_owned(), written);
                }
                Some(inner) => {
                    let nested = object.entry(outer).or_insert_with(|| Value::Object(Map::new()));
                    nested[inner] = written;
                }
            }
        }
        Value::Object(object)
    }

    /// What its maker calls a channel; `deploy/catalogue/networks.toml` says the same the other way round.
    fn field(self, channel: Channel) -> Field {
        let fields = match self {
            Self::Json => &[],
            Self::Logger(_) => LOGGER,
            Self::Chirpstack(_) => CHIRPSTACK,
            Self::Tts(..) => TTS,
            Self::Senml(_) => SENML,
            Self::Tasmota(_) => TASMOTA,
            Self::Airgradient(_) => AIRGRADIENT,
        };
        let field = fields.iter().find(|(named, _)| *named == channel).map(|(_, field)| *field);
        field.unwrap_or(Field(channel.key(), 0))
    }
}

/// A value with the digits of its instrument, in the unit of the device. First rounded, then converted: the digits are
/// those of the canonical value whatever the unit.
fn written(channel: Channel, value: f64, shift: i32) -> Value {
    let digits = channel.digits();
    let rounded: f64 = format!("{value:.digits$}").parse().unwrap_or(value);
    let left = i32::try_from(digits).unwrap_or(0).saturating_sub(shift);
    let left = usize::try_from(left).unwrap_or(0);
    let text = format!("{:.left$}", rounded * 10_f64.powi(shift));
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// A pack: the base record's name and time hold for all; a value that is missing has no record.
fn senml(name: &str, report: &Report) -> Value {
    let mut records = Vec::new();
    for (channel, value) in &report.values {
        let Some(value) = value else { continue };
        let Field(path, shift) = Wire::Senml("").field(*channel);
        let mut record = json!({"n": path, "v": written(*channel, *value, shift)});
        if let Some((_, unit)) = SENML_UNITS.iter().find(|(of, _)| of == channel) {
            record["u"] = json!(unit);
        }
        if records.is_empty() {
            record["bn"] = json!(format!("{name}:"));
            record["bt"] = json!(report.time.get() as f64 / 1_000.0);
        }
        records.push(record);
    }
    Value::Array(records)
}

/// Names of units in the SenML units registry; other channels have none there.
const SENML_UNITS: &[(Channel, &str)] = &[
    (Channel::WaterTemperature, "Cel"),
    (Channel::Conductivity, "S/m"),
    (Channel::Do, "mg/l"),
    (Channel::Nitrate, "mg/l"),
    (Channel::Ph, "pH"),
    (Channel::Turbidity, "NTU"),
    (Channel::WaterLevel, "m"),
    (Channel::Flow, "m3/s"),
];

/// Date and time in WIB without an offset, in whole seconds.
fn local(time: UtcMillis) -> String {
    let seconds = time.saturating_add(WIB_MS).get().div_euclid(1_000);
    UtcMillis::new(seconds.saturating_mul(1_000)).to_string().trim_end_matches('Z').to_owned()
}

/// An id that no other uplink of the device has.
fn deduplication_id(time: UtcMillis) -> String {
    format!("3ac7e3c4-4401-4b8d-9386-{:012x}", time.get())
}
