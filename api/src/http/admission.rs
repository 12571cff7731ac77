//! Which requests are worked on.
//!
//! A body comes in whole, in bounded time, before its request takes one of a bounded number of places: a stranger who
//! sends a byte a minute holds a connection and 4 KiB, never a place. Probes and the links in messages have a few places
//! of their own, so that a crowd on the pages neither makes a healthy Bakau look dead nor keeps an alert from being taken.

use std::time::Duration;

use axum::{
    body::{Body, HttpBody as _},
    extract::Request,
    http::header,
};
use bytes::BytesMut;
use futures::StreamExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::http::error::{ApiError, ProblemType};

/// Largest request body: a name and a note.
pub(crate) const MAX_BODY_BYTES: usize = 4_096;
/// Longest time for a whole body, however evenly it trickles: ten times what 4 KiB need on the slowest mobile network.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests worked on at once; more are answered 503, because they would only make each other slower.
const MAX_REQUESTS: usize = 256;
/// Probes worked on beside those.
const MAX_PROBES: usize = 8;
/// Requests for links in messages worked on beside those.
const MAX_LINKS: usize = 16;

/// Which places a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The places for every request.
    Usual,
    /// Also those kept for probes.
    Probe,
    /// Also those kept for links in messages.
    Link,
}

impl Lane {
    /// The lane of a route pattern; `None` where no route matched.
    pub(crate) fn of(route: Option<&str>) -> Self {
        match route {
            Some("/healthz" | "/readyz") => Self::Probe,
            Some("/a/{token}") => Self::Link,
            Some(_) | None => Self::Usual,
        }
    }
}

/// The places.
#[derive(Debug)]
pub(crate) struct Admission {
    usual: Semaphore,
    probes: Semaphore,
    links: Semaphore,
}

impl Default for Admission {
    fn default() -> Self {
        let [usual, probes, links] = [MAX_REQUESTS, MAX_PROBES, MAX_LINKS].map(Semaphore::new);
        Self { usual, probes, links }
    }
}

impl Admission {
    /// A place, until it is dropped; none where all that the lane may take are taken.
    pub(crate) fn admit(&self, lane: Lane) -> Option<SemaphorePermit<'_>> {
        let own = match lane {
            Lane::Usual => None,
            Lane::Probe => Some(&self.probes),
            Lane::Link => Some(&self.links),
        };
        own.and_then(|own| own.try_acquire().ok()).or_else(|| self.usual.try_acquire().ok())
    }
}

/// The request with its body in memory.
///
/// # Errors
/// When the body is too large, too slow or breaks off.
pub(crate) async fn with_whole_body(request: Request) -> Result<Request, ApiError> {
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if length.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| MAX_BODY_BYTES < length) {
        return Err(ApiError::new(ProblemType::BodyTooLarge));
    }
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(BODY_TIMEOUT, collect(body)).await {
        Ok(body) => Ok(Request::from_parts(parts, body?)),
        Err(_) => Err(ApiError::new(ProblemType::BodyTooSlow)),
    }
}

async fn collect(body: Body) -> Result<Body, ApiError> {
    let (mut chunks, mut whole) = (body.into_data_stream(), BytesMut::new());
    while let Some(chunk) = chunks.next().await {
        // The client broke it off; nobody is left to read this.
        let chunk = chunk.map_err(|_| ApiError::new(ProblemType::InvalidBody))?;
        if MAX_BODY_BYTES < whole.len() + chunk.len() {
            return Err(ApiError::new(ProblemType::BodyTooLarge));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(Body::from(whole.freeze()))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use futures::stream;
    use tokio::time::Instant;

    use super::*;

    fn request(chunks: impl futures::Stream<Item = Result<Bytes, Infallible>> + Send + 'static) -> Request {
        Request::new(Body::from_stream(chunks))
    }

    /// A chunk every so often, without end.
    fn trickle(chunk: &'static [u8], every: Duration) -> Request {
        request(stream::unfold((), move |()| async move {
            tokio::time::sleep(every).await;
            Some((Ok(Bytes::from_static(chunk)), ()))
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_given_up_after_ten_seconds_whatever_its_pace() {
        for every in [1, 400, 9_000, 3_600_000] {
            let started = Instant::now();
            let refused = with_whole_body(trickle(b"x", Duration::from_millis(every))).await.unwrap_err();
            let expected = if every == 1 { ProblemType::BodyTooLarge } else { ProblemType::BodyTooSlow };
            assert_eq!(refused.kind(), expected, "every {every} ms");
            assert!(started.elapsed() <= BODY_TIMEOUT + Duration::from_secs(1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_that_ends_in_time_is_whole_and_one_byte_too_many_is_refused() {
        let parts = |count: usize| {
            request(stream::iter(0..count).then(|_| async {
                tokio::time::sleep(Duration::from_millis(2)).await;
                Ok(Bytes::from_static(b"y"))
            }))
        };
        let whole = with_whole_body(parts(MAX_BODY_BYTES)).await.unwrap();
        assert_eq!(axum::body::to_bytes(whole.into_body(), MAX_BODY_BYTES).await.unwrap().len(), MAX_BODY_BYTES);
        let refused = with_whole_body(parts(MAX_BODY_BYTES + 1)).await.unwrap_err();
        assert_eq!(refused.kind(), ProblemType::BodyTooLarge);
    }

    #[test]
    fn a_crowd_leaves_probes_and_links_their_own_places_and_they_leave_the_crowd_its() {
        let admission = Admission::default();
        let crowd: Vec<_> = std::iter::from_fn(|| admission.admit(Lane::Usual)).collect();
        assert_eq!(crowd.len(), MAX_REQUESTS);
        let probes: Vec<_> = std::iter::from_fn(|| admission.admit(Lane::Probe)).collect();
        let links: Vec<_> = std::iter::from_fn(|| admission.admit(Lane::Link)).collect();
        assert_eq!((probes.len(), links.len()), (MAX_PROBES, MAX_LINKS));
        drop(crowd);
        assert!(admission.admit(Lane::Usual).is_some() && admission.admit(Lane::Probe).is_some());
    }

    #[test]
    fn the_lanes_are_those_of_routes_that_exist() {
        let of =
            |path: &str| crate::ROUTES.iter().find(|route| route.path == path).map(|route| Lane::of(Some(route.path)));
        assert_eq!([of("/healthz"), of("/readyz")], [Some(Lane::Probe); 2]);
        assert_eq!((of("/a/{token}"), of("/")), (Some(Lane::Link), Some(Lane::Usual)));
    }
}
