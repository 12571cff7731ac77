//! Return codes and reason codes of a broker, in words.

use rumqttc::{
    mqttbytes::v4,
    v5::mqttbytes::v5::{ConnectReturnCode, SubscribeReasonCode},
};

/// What a source does after the connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Try again.
    Passing,
    /// Trying again does not help until the settings change.
    Lasting,
    /// Another client has the session now, and what was queued in it.
    TakenOver,
}

/// Meaning of a broker's code for the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// What to do about it.
    pub(crate) kind: Kind,
    /// The reason in words, for an administrator.
    pub(crate) words: String,
}

impl Reason {
    fn lasting(words: &str) -> Self {
        Self { kind: Kind::Lasting, words: words.to_owned() }
    }

    fn passing(words: &str) -> Self {
        Self { kind: Kind::Passing, words: words.to_owned() }
    }

    /// Adds the reason string of the broker.
    pub(crate) fn with(mut self, said: Option<String>) -> Self {
        if let Some(said) = said.filter(|said| !said.is_empty()) {
            self.words = format!("{} (it says: {said})", self.words);
        }
        self
    }
}

/// CONNACK return codes of MQTT 3.1.1, section 3.2.2.3.
pub(crate) fn refused_v4(code: v4::ConnectReturnCode) -> Reason {
    use v4::ConnectReturnCode as Code;
    match code {
        Code::Success => Reason::passing("the broker answered out of turn"),
        Code::RefusedProtocolVersion => Reason::lasting("the broker does not speak MQTT 3.1.1"),
        Code::BadClientId => Reason::lasting("the broker refused the client id"),
        Code::ServiceUnavailable => Reason::passing("the broker is not available"),
        Code::BadUserNamePassword => Reason::lasting("the broker refused user name or password"),
        Code::NotAuthorized => Reason::lasting("the broker refused this client: not authorized"),
    }
}

/// The answer of a broker that knows only MQTT 3.1.1 to a CONNECT of version 5.
pub(crate) fn refused_by_v4(code: u8) -> Reason {
    match code {
        1 => Reason::lasting("the broker does not speak MQTT 5: set protocol = \"3.1.1\" at this source"),
        other => Reason::lasting(&format!("the broker refused the connection with MQTT 3.1.1 code {other}")),
    }
}

/// CONNACK reason codes of MQTT 5, section 3.2.2.2.
pub(crate) fn refused_v5(code: ConnectReturnCode) -> Reason {
    use ConnectReturnCode as Code;
    match code {
        Code::Success => Reason::passing("the broker answered out of turn"),
        Code::RefusedProtocolVersion | Code::UnsupportedProtocolVersion => refused_by_v4(1),
        Code::BadClientId | Code::ClientIdentifierNotValid => Reason::lasting("the broker refused the client id"),
        Code::BadUserNamePassword => Reason::lasting("the broker refused user name or password"),
        Code::NotAuthorized => Reason::lasting("the broker refused this client: not authorized"),
        Code::Banned => Reason::lasting("the broker has banned this client"),
        Code::BadAuthenticationMethod => Reason::lasting("the broker wants another way of authentication"),
        Code::UseAnotherServer => Reason::lasting("the broker says: use another server"),
        Code::ServerMoved => Reason::lasting("the broker has moved for good: change host"),
        Code::QuotaExceeded => Reason::lasting("the broker says that a quota is used up"),
        Code::ServiceUnavailable | Code::ServerUnavailable => Reason::passing("the broker is not available"),
        Code::ServerBusy => Reason::passing("the broker is busy"),
        Code::ConnectionRateExceeded => Reason::passing("the broker gets too many connections"),
        Code::UnspecifiedError
        | Code::MalformedPacket
        | Code::ProtocolError
        | Code::ImplementationSpecificError
        | Code::TopicNameInvalid
        | Code::PacketTooLarge
        | Code::PayloadFormatInvalid
        | Code::RetainNotSupported
        | Code::QoSNotSupported => Reason::lasting(&format!("the broker refused the connection: {code:?}")),
    }
}

/// SUBACK reason codes of MQTT 5, section 3.9.3.
pub(crate) const fn subscription(code: SubscribeReasonCode) -> &'static str {
    use SubscribeReasonCode as Code;
    match code {
        Code::NotAuthorized => "this user may not subscribe to it",
        Code::TopicFilterInvalid => "the topic filter is not valid there",
        Code::QuotaExceeded => "a quota is used up",
        Code::SharedSubscriptionsNotSupported => "shared subscriptions are not supported",
        Code::WildcardSubscriptionsNotSupported => "wildcards are not supported",
        Code::SubscriptionIdNotSupported | Code::PkidInUse | Code::ImplementationSpecific => {
            "the broker will not do it"
        }
        Code::Success(_) | Code::Failure | Code::Unspecified => "check the topics and this user's rights",
    }
}

/// DISCONNECT reason codes of MQTT 5, section 3.14.2.1; 0 also stands for the one of MQTT 3.1.1, which gives none.
pub(crate) fn of_disconnect(code: u8) -> Reason {
    match code {
        0x00 | 0x04 => Reason::passing("the broker ended the connection"),
        0x81 | 0x82 => Reason::passing("the broker saw a protocol error"),
        0x87 => Reason::lasting("the broker ended the connection: not authorized"),
        0x89 => Reason::passing("the broker is busy"),
        0x8b => Reason::passing("the broker is shutting down"),
        0x8d => Reason::passing("the broker heard nothing from this source for too long"),
        0x8e => Reason {
            kind: Kind::TakenOver,
            words: "another client connected with this source's client id and took its session over: it may have \
                    consumed or deleted what was queued. Give each Bakau a user and a client_id of its own; with \
                    use_username_as_clientid at the broker no other user can do this"
                .to_owned(),
        },
        0x93 => Reason::passing("the broker counted more unacknowledged messages than it allows"),
        0x95 => Reason::lasting("the broker says that a packet was too large"),
        0x97 => Reason::lasting("the broker says that a quota is used up"),
        0x98 => Reason::passing("an administrator of the broker ended the connection"),
        0x9c => Reason::lasting("the broker says: use another server"),
        0x9d => Reason::lasting("the broker has moved for good: change host"),
        other => Reason::passing(&format!("the broker ended the connection with reason 0x{other:02x}")),
    }
}
