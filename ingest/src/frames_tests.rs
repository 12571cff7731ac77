use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 3_600_000;

fn frame(counter: u64, content: u64, at_ms: i64) -> Frame {
    let datastream = DatastreamId::new(1);
    Frame { device: 1, session: 1, counter, content, datastream, at: UtcMillis::new(1_795_861_800_000 + at_ms) }
}

/// Whether each frame is taken, one after the other.
fn taken(frames: &[Frame]) -> Vec<bool> {
    let mut memory = Frames::default();
    let mut take = |frame: &Frame| {
        let is_new = !memory.is_repeated(frame);
        if is_new {
            memory.add(*frame);
            memory.keep();
        }
        is_new
    };
    frames.iter().map(&mut take).collect()
}

#[test]
fn a_second_copy_is_a_frame_seen_before_whatever_its_time_within_a_day() {
    for apart in [0, 48_796, -48_796, 10 * MINUTE, 23 * HOUR] {
        assert_eq!(taken(&[frame(104, 2, 0), frame(104, 2, apart)]), [true, false], "{apart}");
    }
    assert_eq!(taken(&[frame(104, 2, 0), frame(104, 2, 25 * HOUR)]), [true, true]);
    let between = [frame(104, 2, 0), frame(105, 2, MINUTE), frame(104, 2, 30 * MINUTE), frame(105, 2, 31 * MINUTE)];
    assert_eq!(taken(&between), [true, true, false, false]);
}

#[test]
fn another_device_session_counter_content_or_datastream_is_another_frame() {
    let first = frame(104, 2, 0);
    for other in [
        Frame { device: 2, ..first },
        Frame { session: 2, ..first },
        Frame { counter: 105, ..first },
        Frame { content: 3, ..first },
        Frame { datastream: DatastreamId::new(2), ..first },
    ] {
        assert_eq!(taken(&[first, other]), [true, true], "{other:?}");
    }
}

#[test]
fn a_counter_that_begins_anew_loses_no_reading_also_where_the_readings_are_equal() {
    let hourly = |counters: &[u64]| -> Vec<Frame> {
        counters.iter().enumerate().map(|(hour, counter)| frame(*counter, 0, hour as i64 * HOUR / 4)).collect()
    };
    let counters: Vec<u64> = (0..40).chain(0..40).chain([0, 1, 0, 1, 2, 0, 1, 2, 3]).collect();
    assert!(taken(&hourly(&counters)).into_iter().all(|taken| taken));
}

#[test]
fn a_device_that_always_sends_the_same_counter_loses_only_what_comes_within_two_minutes() {
    for counter in [0, 1] {
        let every =
            |minutes: i64| (0..20).map(|number| frame(counter, 0, number * minutes * MINUTE)).collect::<Vec<_>>();
        assert!(taken(&every(3)).into_iter().all(|taken| taken));
        assert_eq!(taken(&every(1)).iter().filter(|taken| **taken).count(), 7);
    }
}

#[test]
fn what_a_refused_group_added_is_forgotten_and_what_left_for_it_comes_back() {
    let mut memory = Frames::default();
    (0..20).for_each(|counter| memory.add(frame(counter, 0, 0)));
    memory.keep();
    let before = memory.devices.clone();
    (20..60).for_each(|counter| memory.add(frame(counter, 0, 0)));
    memory.undo();
    assert_eq!(memory.devices, before);
    assert!(memory.is_repeated(&frame(19, 0, 0)) && !memory.is_repeated(&frame(20, 0, 0)));
}

#[test]
fn devices_are_bounded() {
    let mut memory = Frames::default();
    for device in 0..3 * MAX_DEVICES as u64 {
        memory.add(Frame { device, ..frame(2, 0, device as i64) });
        memory.keep();
    }
    assert!(memory.devices.len() <= MAX_DEVICES);
}

proptest! {
    /// Whatever a device counts and whatever of it gets lost: its own frames are all taken, and of each every copy that
    /// comes at once is dropped.
    #[test]
    fn every_frame_is_taken_once(runs in proptest::collection::vec((1_u64..30, any::<bool>()), 1..6), lost in proptest::collection::vec(any::<bool>(), 1..40)) {
        let mut memory = Frames::default();
        let mut at = 0;
        for (length, is_dry) in runs {
            for counter in 0..length {
                at += 10 * MINUTE;
                if lost[(at / MINUTE / 10) as usize % lost.len()] && counter != 0 {
                    continue;
                }
                let sent = frame(counter, if is_dry { 0 } else { counter }, at);
                prop_assert!(!memory.is_repeated(&sent), "{counter} of {length} at {at}");
                memory.add(sent);
                memory.keep();
                for late in [0, MINUTE, 2 * MINUTE] {
                    prop_assert!(memory.is_repeated(&frame(counter, sent.content, at + late)));
                }
            }
        }
    }
}
