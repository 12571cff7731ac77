//! How often a channel may be used: messages that a receiver would refuse are held back instead. Pure.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bakau_registry::Channel;

/// At most `most` messages in any time of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    most: usize,
    length: Duration,
}

const fn window(most: usize, seconds: u64) -> Window {
    Window { most, length: Duration::from_secs(seconds) }
}

/// What Telegram names for bots: about one message a second to a chat, 20 a minute to a group.
const TELEGRAM_CHAT: &[Window] = &[window(1, 1)];
const TELEGRAM_GROUP: &[Window] = &[window(1, 1), window(20, 60)];

/// What was sent lately to the recipients of one channel; forgotten at a restart, after which a receiver that is asked
/// too often says so itself.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    sent: BTreeMap<String, VecDeque<Instant>>,
}

impl Pace {
    /// How long a recipient of the channel must be left alone; zero when not.
    pub(crate) fn wait(&self, channel: Option<&Channel>, recipient: &str, now: Instant) -> Duration {
        let Some(sent) = self.sent.get(recipient) else { return Duration::ZERO };
        let wait_for = |window: &Window| {
            let oldest = sent.len().checked_sub(window.most).and_then(|index| sent.get(index));
            oldest.map_or(Duration::ZERO, |at| (*at + window.length).saturating_duration_since(now))
        };
        windows(channel, recipient).iter().map(wait_for).max().unwrap_or_default()
    }

    /// A message goes out now.
    pub(crate) fn note(&mut self, channel: Option<&Channel>, recipient: &str, now: Instant) {
        let Some(kept) = windows(channel, recipient).iter().map(|window| window.most).max() else { return };
        let sent = self.sent.entry(recipient.to_owned()).or_default();
        sent.push_back(now);
        while kept < sent.len() {
            sent.pop_front();
        }
    }
}

const fn windows(channel: Option<&Channel>, recipient: &str) -> &'static [Window] {
    match channel {
        // Groups have negative numbers.
        Some(Channel::Telegram { .. }) => match recipient.as_bytes() {
            [b'-', ..] => TELEGRAM_GROUP,
            _ => TELEGRAM_CHAT,
        },
        Some(Channel::Webhook { .. } | Channel::Email { .. }) | None => &[],
    }
}

#[cfg(test)]
mod tests {
    use bakau_model::ChannelId;

    use super::*;

    fn telegram() -> Channel {
        let id = ChannelId::new("telegram").unwrap();
        Channel::Telegram { id, token_env: "TOKEN".to_owned(), base_url: "http://127.0.0.1:1".to_owned() }
    }

    #[test]
    fn a_chat_is_told_once_a_second_and_a_group_twenty_times_a_minute() {
        let (channel, start) = (telegram(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut pace = Pace::default();
        assert_eq!(pace.wait(Some(&channel), "42", at(0)), Duration::ZERO);
        pace.note(Some(&channel), "42", at(0));
        assert_eq!(pace.wait(Some(&channel), "42", at(0)), Duration::from_secs(1));
        assert_eq!(pace.wait(Some(&channel), "43", at(0)), Duration::ZERO, "another chat");
        assert_eq!(pace.wait(Some(&channel), "42", at(1)), Duration::ZERO);
        for second in 0..20 {
            pace.note(Some(&channel), "-5", at(second));
        }
        assert_eq!(pace.wait(Some(&channel), "-5", at(20)), Duration::from_secs(40));
        assert_eq!(pace.wait(Some(&channel), "-5", at(60)), Duration::ZERO);
    }

    #[test]
    fn mail_servers_and_webhooks_are_not_held_back_and_cost_no_memory() {
        let id = ChannelId::new("hook").unwrap();
        let channel = Channel::Webhook { id, url: String::new(), secret_env: String::new() };
        let (mut pace, now) = (Pace::default(), Instant::now());
        for _ in 0..100 {
            pace.note(Some(&channel), "hook", now);
        }
        assert_eq!(pace.wait(Some(&channel), "hook", now), Duration::ZERO);
        assert!(pace.sent.is_empty());
    }
}
