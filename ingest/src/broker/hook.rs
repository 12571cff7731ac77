//! What rmqtt asks before it lets a device in, takes a message or grants a subscription.
//!
//! The message is committed inside the publish-ACL hook, the last thing rmqtt awaits before PUBACK or PUBREC. The hook
//! is skipped for superusers, so nobody is one; wills do not pass it, so they become device status in the
//! `message_publish` hook and their topic is moved out of reach of any subscription.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use bakau_model::{Envelope, Qos, UtcMillis};
use rmqtt::{
    codec::{types::QoS, v5::SubscribeAckReason},
    context::ServerContext,
    hook::{Handler, HookResult, Parameter, ReturnType, Type},
    session::Session,
    types::{AuthResult, ConnectInfo, From as Sender, FromType, Publish, PublishAclResult, Subscribe, SubscribeReturn},
};
use tokio::time::timeout;

use super::{
    Shared, auth,
    connections::{Attached, Closing, Connection, Identity},
    metrics, rights,
};
use crate::{NotCommitted, board::DeviceStatus, route};

/// Where rmqtt's session keeps our connection.
const CONNECTION: &str = "bakau";

/// Where a last will is moved to; subscriptions to `$` topics are refused, so nobody receives it.
const WILL_TOPIC: &str = "$bakau/will";

/// Largest last will that is read as availability: a text or a small JSON object.
const MAX_STATUS_BYTES: usize = 4_096;

/// Characters of a last will shown as status.
const MAX_WILL_CHARS: usize = 200;

/// Registers the hooks; rmqtt calls each of them on the task of the connection.
pub(super) async fn register(context: &ServerContext, shared: &Arc<Shared>) {
    let register = context.extends.hook_mgr().register();
    let types = [
        Type::ClientAuthenticate,
        Type::ClientConnected,
        Type::ClientDisconnected,
        Type::ClientSubscribeCheckAcl,
        Type::MessagePublish,
        Type::MessagePublishCheckAcl,
    ];
    for hook_type in types {
        register.add(hook_type, Box::new(Hooks { shared: Arc::clone(shared) })).await;
    }
    register.start().await;
}

struct Hooks {
    shared: Arc<Shared>,
}

#[async_trait]
#[expect(elided_lifetimes_in_paths, reason = "a named lifetime would not match the trait's signature")]
impl Handler for Hooks {
    async fn hook(&self, parameter: &Parameter, earlier: Option<HookResult>) -> ReturnType {
        match parameter {
            Parameter::ClientAuthenticate(connect) => {
                (false, Some(HookResult::AuthResult(self.authenticate(connect).await)))
            }
            Parameter::ClientConnected(session) => {
                self.connected(session).await;
                (true, earlier)
            }
            Parameter::ClientDisconnected(session, _) => {
                self.disconnected(session).await;
                (true, earlier)
            }
            Parameter::ClientSubscribeCheckAcl(session, subscribe) => {
                (false, Some(HookResult::SubscribeAclResult(self.subscribe(session, subscribe).await)))
            }
            Parameter::MessagePublish(session, sender, publish) if matches!(sender.typ(), FromType::LastWill) => {
                (false, Some(HookResult::Publish(self.last_will(*session, sender, publish).await)))
            }
            Parameter::MessagePublishCheckAcl(session, publish) => {
                (false, Some(HookResult::PublishAclResult(self.publish(session, publish).await)))
            }
            _ => (true, earlier),
        }
    }
}

/// Decision about a publish.
enum Verdict {
    Acknowledge,
    /// Not authorized: an MQTT 5 client gets the reason code, an older one can only be disconnected.
    Denied,
    /// Ends the connection without acknowledgement.
    Disconnect(Closing),
}

impl Hooks {
    async fn authenticate(&self, connect: &ConnectInfo) -> AuthResult {
        // A connection that did not come through the edge is refused.
        let connection = connect.id().remote_addr.and_then(|addr| self.shared.connections.by_port(addr.port()));
        let Some(connection) = connection else { return AuthResult::NotAuthorized };
        let snapshot = Arc::clone(&self.shared.devices.borrow());
        let username = connect.username().map(|name| &**name);
        let device = match auth::authenticate(&snapshot, username, connect.password().map(|password| &**password)) {
            Ok(device) => device,
            Err(refusal) => {
                metrics::refused(refusal.key());
                return match refusal {
                    auth::Refusal::Anonymous => AuthResult::NotAuthorized,
                    auth::Refusal::WrongCredentials => AuthResult::BadUsernameOrPassword,
                };
            }
        };
        let identity = Identity {
            client_id: Arc::from(&**connect.client_id()),
            username: Arc::from(device.username.as_str()),
            token_sha256: device.token_sha256.clone(),
        };
        if let Some(takeover) = self.shared.connections.identify(&connection, identity, self.shared.clock.now()) {
            if takeover.warn {
                tracing::warn!(
                    source = %self.shared.config.name, client_id = &**connect.client_id(), takeovers = takeover.count,
                    "two devices share one mqtt client id and push each other out"
                );
            }
            // rmqtt refuses the newcomer when the older session ends just while it is being pushed out.
            takeover.older.detached().await;
        }
        AuthResult::Allow(false, None)
    }

    async fn connected(&self, session: &Session) {
        let connection = session.id.remote_addr.and_then(|addr| self.shared.connections.by_port(addr.port()));
        // Without it every publish of the session is refused.
        let Some(connection) = connection else { return };
        session.extra_attrs.write().await.insert(CONNECTION.into(), Attached::new(Arc::clone(&connection)));
        self.report(&connection, true, None);
    }

    async fn disconnected(&self, session: &Session) {
        let Some(connection) = connection_of(session).await else { return };
        if !connection.will_sent.load(Ordering::Relaxed) {
            self.report(&connection, false, None);
        }
    }

    /// Shows on the board that a device came or went, unless a newer connection has its client id.
    fn report(&self, connection: &Connection, online: bool, will: Option<(String, String)>) {
        let Some(takeovers) = self.shared.connections.takeovers_if_current(connection) else { return };
        let Some(identity) = connection.identity.get() else { return };
        let (will_topic, will) = will.unzip();
        self.shared.board.set_device(DeviceStatus {
            source: self.shared.config.name.clone(),
            client_id: identity.client_id.to_string(),
            username: Some(identity.username.to_string()),
            online,
            since: self.shared.clock.now(),
            will,
            will_topic,
            takeovers,
        });
    }

    async fn last_will(&self, session: Option<&Session>, sender: &Sender, will: &Publish) -> Publish {
        let connection = match session {
            Some(session) => connection_of(session).await,
            None => None,
        };
        match connection {
            Some(connection) => {
                connection.will_sent.store(true, Ordering::Relaxed);
                self.mark_silent(&connection, will).await;
                let text = String::from_utf8_lossy(&will.payload).chars().take(MAX_WILL_CHARS).collect();
                self.report(&connection, false, Some((will.topic.to_string(), text)));
            }
            None => tracing::debug!(client_id = &*sender.id.client_id, "last will of an unknown connection"),
        }
        let mut moved = will.clone();
        moved.topic = WILL_TOPIC.into();
        moved
    }

    /// Commits a last will that a route reads as availability, so that it reaches the alert engine too. Ignored are wills of
    /// a device that is back already, on topics outside its rights, and of connections that ended because Bakau stops:
    /// otherwise every restart would report all devices as offline.
    async fn mark_silent(&self, connection: &Connection, will: &Publish) {
        if self.shared.stop.is_cancelled() {
            return;
        }
        let (Some(identity), Some(_)) =
            (connection.identity.get(), self.shared.connections.takeovers_if_current(connection))
        else {
            return;
        };
        let is_status = {
            let snapshot = Arc::clone(&self.shared.devices.borrow());
            let filters = current_filters(&snapshot, connection).unwrap_or_default();
            let allowed = rights::may_publish(filters, &will.topic) && will.payload.len() <= MAX_STATUS_BYTES;
            allowed && route::is_status(&snapshot.routes, &self.shared.config.name, &will.topic)
        };
        if !is_status {
            return;
        }
        let now = self.shared.clock.now();
        self.shared.traffic.arrived(1, now);
        let envelope = self.envelope(connection, identity, will, now);
        // Nobody waits for an acknowledgement; a will that is lost here shows as no data after its deadline.
        if !matches!(timeout(self.shared.config.commit_timeout, self.shared.intake.commit(envelope)).await, Ok(Ok(())))
        {
            tracing::warn!(client_id = &*identity.client_id, "last will could not be committed");
        }
    }

    async fn subscribe(&self, session: &Session, subscribe: &Subscribe) -> SubscribeReturn {
        let filters = match connection_of(session).await {
            Some(connection) => {
                let snapshot = Arc::clone(&self.shared.devices.borrow());
                current_filters(&snapshot, &connection).map(<[String]>::to_vec).unwrap_or_default()
            }
            None => Vec::new(),
        };
        if rights::may_subscribe(&filters, &subscribe.topic_filter) {
            // QoS 0: what a subscriber does not take is dropped, never stored for it.
            return SubscribeReturn::new_success(QoS::AtMostOnce, None);
        }
        metrics::refused("subscription");
        SubscribeReturn::new_failure(SubscribeAckReason::NotAuthorized)
    }

    async fn publish(&self, session: &Session, publish: &Publish) -> PublishAclResult {
        let Some(connection) = connection_of(session).await else {
            return PublishAclResult::rejected(true, None);
        };
        let verdict = self.decide(&connection, publish).await;
        match verdict {
            Verdict::Acknowledge => PublishAclResult::allow(),
            Verdict::Denied => {
                let told = "topic is outside the publish filters of this device";
                PublishAclResult::rejected(!connection.is_v5(), Some(told.into()))
            }
            Verdict::Disconnect(reason) => {
                connection.close(reason);
                PublishAclResult::rejected(true, None)
            }
        }
    }

    async fn decide(&self, connection: &Connection, publish: &Publish) -> Verdict {
        let now = self.shared.clock.now();
        self.shared.traffic.arrived(1, now);
        let Some(identity) = connection.identity.get() else { return self.deny(now, Verdict::Denied) };
        let allowed = {
            let snapshot = Arc::clone(&self.shared.devices.borrow());
            current_filters(&snapshot, connection).map(|filters| rights::may_publish(filters, &publish.topic))
        };
        match allowed {
            None => return self.deny(now, Verdict::Disconnect(Closing::NoLongerAllowed)),
            Some(false) => return self.deny(now, Verdict::Denied),
            Some(true) => {}
        }
        if self.shared.config.max_payload_bytes < publish.payload.len() {
            metrics::refused("too_large");
            return self.deny(now, Verdict::Disconnect(Closing::TooLarge));
        }
        let envelope = self.envelope(connection, identity, publish, now);
        connection.publishing(&self.shared.intake);
        let committed = timeout(self.shared.config.commit_timeout, self.shared.intake.commit(envelope)).await;
        match committed {
            Ok(Ok(())) => Verdict::Acknowledge,
            Ok(Err(NotCommitted::SpoolFull)) => Verdict::Disconnect(Closing::SpoolFull),
            Ok(Err(NotCommitted::Stopping)) => Verdict::Disconnect(Closing::Stopping),
            Ok(Err(NotCommitted::SpoolFailed)) => Verdict::Disconnect(Closing::NotCommitted),
            Err(_) => {
                metrics::refused("commit_timeout");
                Verdict::Disconnect(Closing::NotCommitted)
            }
        }
    }

    fn deny(&self, now: UtcMillis, verdict: Verdict) -> Verdict {
        metrics::refused("message");
        self.shared.intake.denied(&self.shared.config.name, now);
        verdict
    }

    fn envelope(&self, connection: &Connection, from: &Identity, publish: &Publish, now: UtcMillis) -> Envelope {
        let content_type = publish.properties.as_ref().and_then(|properties| properties.content_type.as_deref());
        Envelope {
            source: self.shared.config.name.clone(),
            epoch: connection.epoch,
            client_id: Some(Arc::clone(&from.client_id)),
            username: Some(Arc::clone(&from.username)),
            topic: Arc::from(&*publish.topic),
            payload: publish.payload.clone(),
            qos: match publish.qos {
                QoS::AtMostOnce => Qos::AtMostOnce,
                QoS::AtLeastOnce => Qos::AtLeastOnce,
                QoS::ExactlyOnce => Qos::ExactlyOnce,
            },
            dup: publish.dup,
            // A device that sets the retain flag still publishes now; only a broker's stored copy is a retained delivery.
            retained: false,
            content_type: content_type.map(Arc::from),
            received_at: now,
        }
    }
}

async fn connection_of(session: &Session) -> Option<Arc<Connection>> {
    session.extra_attrs.read().await.get::<Attached>(CONNECTION).map(Attached::connection)
}

/// The publish filters of the connection's device; `None` when it is gone or its token was changed.
fn current_filters<'a>(snapshot: &'a bakau_registry::Snapshot, connection: &Connection) -> Option<&'a [String]> {
    let identity = connection.identity.get()?;
    let device = snapshot.devices.get(&*identity.username)?;
    (device.token_sha256 == identity.token_sha256).then_some(device.publish.as_slice())
}
