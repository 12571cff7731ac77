//! What water and air hold: oxygen, salt, vapour. Published equations, checked against published values.

/// Standard atmosphere, hPa.
const ATMOSPHERE_HPA: f64 = 1_013.25;

/// Oxygen that water holds in equilibrium with air, mg/L: Benson and Krause (1980, 1984) with the pressure term, as in USGS
/// Office of Water Quality Technical Memorandum 2011.03.
pub(crate) fn oxygen_saturation(temperature_c: f64, salinity_psu: f64, pressure_hpa: f64) -> f64 {
    let kelvin = temperature_c + 273.15;
    let fresh = -139.344_11 + 1.575_701e5 / kelvin - 6.642_308e7 / kelvin.powi(2) + 1.243_800e10 / kelvin.powi(3)
        - 8.621_949e11 / kelvin.powi(4);
    let salt = salinity_psu * (1.767_4e-2 - 10.754 / kelvin + 2_140.7 / kelvin.powi(2));
    let pressure = pressure_hpa / ATMOSPHERE_HPA;
    let vapour = (11.857_1 - 3_840.70 / kelvin - 216_961.0 / kelvin.powi(2)).exp();
    let theta = 0.000_975 - 1.426e-5 * temperature_c + 6.436e-8 * temperature_c.powi(2);
    let share = (pressure - vapour) * (1.0 - theta * pressure) / ((1.0 - vapour) * (1.0 - theta));
    (fresh - salt).exp() * share
}

/// Conductivity of sea water of practical salinity 35 at 15 °C, uS/cm (Culkin and Smith, 1980).
const REFERENCE_US_CM: f64 = 42_914.0;

/// Practical salinity from conductivity at a temperature and one atmosphere: PSS-78 (UNESCO, 1981), good from 2 to 42.
pub(crate) fn salinity(conductivity_us_cm: f64, temperature_c: f64) -> f64 {
    let t = temperature_c;
    let ratio_35 = 0.676_609_7 + t * (2.005_64e-2 + t * (1.104_259e-4 + t * (-6.969_8e-7 + t * 1.003_1e-9)));
    let root = (conductivity_us_cm / REFERENCE_US_CM / ratio_35).max(0.0).sqrt();
    let polynomial = |a: [f64; 6]| a.iter().rev().fold(0.0, |sum, term| sum * root + term);
    let at_15 = polynomial([0.0080, -0.1692, 25.3851, 14.0941, -7.0261, 2.7081]);
    let warmer = polynomial([0.0005, -0.0056, -0.0066, -0.0375, 0.0636, -0.0144]);
    at_15 + (t - 15.0) / (1.0 + 0.0162 * (t - 15.0)) * warmer
}

/// Conductivity compensated to 25 °C of water of a practical salinity, uS/cm: [`salinity`] turned round.
pub(crate) fn conductivity_at_25(salinity_psu: f64) -> f64 {
    let wanted = salinity_psu.max(0.0);
    // Close already; three steps of the secant through the origin bring it to the last digits an instrument shows.
    let mut guess = 53_065.0 * (wanted / 35.0).powf(0.914) + 1.0;
    for _ in 0..3 {
        let step = guess * 0.001;
        let slope = (salinity(guess + step, 25.0) - salinity(guess, 25.0)) / step;
        guess = (guess - (salinity(guess, 25.0) - wanted) / slope).max(0.0);
    }
    guess
}

/// Pressure of water vapour over water, hPa: Magnus form of Alduchov and Eskridge (1996).
fn vapour_pressure(temperature_c: f64) -> f64 {
    6.109_4 * (17.625 * temperature_c / (temperature_c + 243.04)).exp()
}

/// Relative humidity of air with a dew point, %.
pub(crate) fn humidity(temperature_c: f64, dew_point_c: f64) -> f64 {
    100.0 * vapour_pressure(dew_point_c.min(temperature_c)) / vapour_pressure(temperature_c)
}

/// Pressure at a height over sea level, hPa: hypsometric, with the mean temperature of the column below.
pub(crate) fn pressure_at(elevation_m: f64, sea_level_hpa: f64, temperature_c: f64) -> f64 {
    let column_k = temperature_c + 273.15 + 0.003_25 * elevation_m;
    sea_level_hpa * (-elevation_m / (29.27 * column_k)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: f64, published: f64, tolerance: f64) {
        assert!((value - published).abs() <= tolerance, "{value} instead of {published}");
    }

    #[test]
    fn oxygen_saturation_meets_published_values_at_sea_level_and_in_the_hills() {
        close(oxygen_saturation(25.0, 0.0, ATMOSPHERE_HPA), 8.26, 0.01);
        close(oxygen_saturation(28.0, 0.0, ATMOSPHERE_HPA), 7.83, 0.01);
        close(oxygen_saturation(28.0, 30.0, ATMOSPHERE_HPA), 6.62, 0.02);
        close(oxygen_saturation(32.0, 34.0, ATMOSPHERE_HPA), 6.08, 0.02);
        close(oxygen_saturation(22.0, 0.0, 910.0), 7.83, 0.01);
    }

    #[test]
    fn sea_water_of_salinity_35_has_its_defined_conductivity_at_any_temperature() {
        close(salinity(REFERENCE_US_CM, 15.0), 35.0, 1e-3);
        // The ratio rt of PSS-78 at 25 °C.
        close(salinity(1.236_54 * REFERENCE_US_CM, 25.0), 35.0, 2e-3);
        close(conductivity_at_25(35.0), 53_065.0, 5.0);
    }

    #[test]
    fn conductivity_and_salinity_turn_into_each_other() {
        for tenths in 20..=420 {
            let wanted = f64::from(tenths) / 10.0;
            close(salinity(conductivity_at_25(wanted), 25.0), wanted, 1e-4);
        }
        // A pair measured by a NERRS sonde.
        close(conductivity_at_25(29.9), 45_970.0, 250.0);
    }

    #[test]
    fn humid_air_and_thin_air_are_as_in_tables() {
        close(humidity(30.0, 24.0), 70.3, 0.3);
        close(humidity(20.0, 25.0), 100.0, 1e-9);
        close(pressure_at(900.0, 1_011.0, 22.0), 911.5, 1.5);
    }
}
