//! Values that fail quality control are no sign of health.

use super::{Event::Failed, Event::Value, *};

#[test]
fn values_that_fail_do_not_end_an_alert_about_no_data() {
    let (do_, temp) = (DATASTREAM, OTHER);
    let events = [(5, Value(do_, 0)), (25, Failed(do_)), (30, Failed(temp)), (33, Value(do_, 0))];
    assert_eq!(
        history(&[station_rule()], &events, 40),
        ["20 station-no-data normal>waspada no_data since 5", "33 station-no-data waspada>normal returned since 5"]
    );
}

#[test]
fn a_sensor_of_which_every_value_fails_is_not_alive() {
    let events = [(5, Value(DATASTREAM, 0)), (10, Failed(DATASTREAM)), (15, Failed(DATASTREAM))];
    assert_eq!(history(&[datastream_rule()], &events, 30), ["20 do-no-data normal>waspada no_data since 5"]);
}
