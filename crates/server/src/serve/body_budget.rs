//! Memory for the bodies of requests, over all connections together.
//!
//! A body takes memory from when its first byte is waited for until its request is answered, and a client decides how
//! long it takes to send it. So each body reserves its memory first: what it declares, or, when it declares nothing, a
//! little at a time. When there is none left, the request is answered at once instead of waiting. Small bodies have a
//! budget of their own, so that nobody who holds back large ones keeps others from signing in, and one address has no
//! more than a share of either.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Body;

use super::connection::MAX_STREAMS;
use super::connection_limit::{DEFAULT_MAX_CONNECTIONS, MAX_LEAVING};
use super::network::network_of;

/// What counts as a small body, in bytes: a sign-in, a device code, an update of one field.
const SMALL: usize = 1024;
/// How many small bodies there can be at the same time, with as many connections as there are by default.
const SMALL_BODIES: usize = (DEFAULT_MAX_CONNECTIONS as usize + MAX_LEAVING) * MAX_STREAMS as usize;
/// How many bytes all small bodies may take together, and those of one address. There is enough for all that can be sent,
/// so that a few addresses that hold theirs back keep nobody from signing in.
const SMALL_TOTAL: (usize, usize) = (SMALL_BODIES * SMALL, 512 * 1024);
/// How many bytes all others may take together, and those of one address.
const LARGE_TOTAL: (usize, usize) = (6 * 1024 * 1024, 1536 * 1024);
/// How long a client may take to send a body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is larger than its route takes. Nothing was read if it said so itself.
    #[error("the body is too large")]
    TooLarge,
    /// It did not come in time.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// There is no memory left for it at the moment.
    #[error("there are too many bodies under way")]
    Busy,
    /// It ended before its end.
    #[error("the body did not arrive whole")]
    Broken,
}

/// The memory that bodies share. Copies share it, too.
#[derive(Debug, Clone)]
pub struct BodyBudget {
    small: Arc<Pool>,
    large: Arc<Pool>,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self::new(SMALL_TOTAL, LARGE_TOTAL)
    }
}

impl BodyBudget {
    fn new(small: (usize, usize), large: (usize, usize)) -> Self {
        Self {
            small: Pool::new(small),
            large: Pool::new(large),
        }
    }

    /// How many bytes are reserved now.
    #[must_use]
    pub fn reserved(&self) -> usize {
        self.small.used().total + self.large.used().total
    }

    fn reserve(&self, client: Option<IpAddr>, bytes: usize) -> Option<Reservation> {
        let pool = if bytes <= SMALL { &self.small } else { &self.large };
        pool.take(client, bytes).then(|| Reservation {
            pool: pool.clone(),
            client,
            bytes,
        })
    }

    /// Reads a body of at most so many bytes from a client at this address. The memory stays reserved for as long as
    /// the reservation is there.
    ///
    /// # Errors
    /// [`BodyError`]. When the body declares a length that is too large, it is not asked for, so that a client that
    /// waits for `100 Continue` sends nothing.
    pub async fn read<B>(
        &self,
        mut body: B,
        max: usize,
        client: Option<IpAddr>,
    ) -> Result<(Vec<u8>, Option<Reservation>), BodyError>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let hint = body.size_hint();
        let least = usize::try_from(hint.lower()).unwrap_or(usize::MAX);
        if least > max {
            return Err(BodyError::TooLarge);
        }
        if body.is_end_stream() {
            return Ok((Vec::new(), None));
        }
        let declared = hint.exact().map_or(SMALL.min(max), |_| least);
        let client = client.map(network_of);
        let mut reservation = self.reserve(client, declared).ok_or(BodyError::Busy)?;
        let mut bytes = Vec::with_capacity(declared);
        let whole = async {
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
                    continue;
                };
                let wanted = bytes.len() + data.len();
                if wanted > max {
                    return Err(BodyError::TooLarge);
                }
                if wanted > reservation.bytes {
                    // Twice as much each time: few reservations, and no more than twice what is needed.
                    let more = wanted.next_power_of_two().min(max);
                    let larger = self.reserve(client, more).ok_or(BodyError::Busy)?;
                    bytes.reserve_exact(more - bytes.len());
                    reservation = larger;
                }
                // A copy: a slice would keep the whole buffer of the connection.
                bytes.extend_from_slice(&data);
            }
            Ok(())
        };
        match tokio::time::timeout(BODY_TIMEOUT, whole).await {
            Ok(read) => read?,
            Err(_) => return Err(BodyError::TooSlow),
        }
        Ok((bytes, Some(reservation)))
    }
}

/// Keeps the memory of a request's body reserved until the request is answered; put on requests that have a body.
#[derive(Debug, Clone, Default)]
pub struct BodyHold(Arc<OnceLock<Reservation>>);

impl BodyHold {
    /// Keeps this for as long as any copy of the hold is there.
    pub fn keep(&self, reservation: Reservation) {
        // A body is read once; a second one would be given back at once.
        drop(self.0.set(reservation));
    }
}

/// Memory that is reserved until this is dropped.
#[derive(Debug)]
pub struct Reservation {
    pool: Arc<Pool>,
    client: Option<IpAddr>,
    bytes: usize,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.pool.give_back(self.client, self.bytes);
    }
}

#[derive(Debug)]
struct Pool {
    total: usize,
    per_client: usize,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    total: usize,
    /// Only of those who have something.
    by_client: HashMap<IpAddr, usize>,
}

impl Pool {
    fn new((total, per_client): (usize, usize)) -> Arc<Self> {
        Arc::new(Self {
            total,
            per_client,
            used: Mutex::default(),
        })
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, client: Option<IpAddr>, bytes: usize) -> bool {
        let mut used = self.used();
        if used.total + bytes > self.total {
            return false;
        }
        if let Some(client) = client {
            let own = used.by_client.get(&client).copied().unwrap_or(0) + bytes;
            if own > self.per_client {
                return false;
            }
            used.by_client.insert(client, own);
        }
        used.total += bytes;
        true
    }

    fn give_back(&self, client: Option<IpAddr>, bytes: usize) {
        let mut used = self.used();
        used.total = used.total.saturating_sub(bytes);
        let Some(client) = client else { return };
        if let Some(own) = used.by_client.get_mut(&client) {
            *own = own.saturating_sub(bytes);
            if *own == 0 {
                used.by_client.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::{Frame, SizeHint};
    use tokio::sync::mpsc;
    use tokio::time::Instant;

    use super::*;

    /// A body whose parts come when the test sends them.
    struct Parts {
        declared: Option<u64>,
        parts: mpsc::UnboundedReceiver<Bytes>,
        was_asked_for: bool,
    }

    impl Body for Parts {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.was_asked_for = true;
            self.parts
                .poll_recv(context)
                .map(|part| part.map(|part| Ok(Frame::data(part))))
        }

        fn size_hint(&self) -> SizeHint {
            self.declared.map_or_else(SizeHint::default, SizeHint::with_exact)
        }
    }

    fn body(declared: Option<u64>) -> (mpsc::UnboundedSender<Bytes>, Parts) {
        let (sender, parts) = mpsc::unbounded_channel();
        let body = Parts {
            declared,
            parts,
            was_asked_for: false,
        };
        (sender, body)
    }

    fn client(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    async fn read_all(parts: &[usize], declared: Option<u64>, max: usize) -> Result<usize, BodyError> {
        let budget = BodyBudget::default();
        let (sender, body) = body(declared);
        for part in parts {
            sender.send(Bytes::from(vec![b'x'; *part])).unwrap();
        }
        drop(sender);
        let read = budget.read(body, max, client(1)).await;
        if let Ok((bytes, reservation)) = &read {
            assert!(reservation.as_ref().is_none_or(|kept| kept.bytes >= bytes.len()));
            assert!(bytes.capacity() <= bytes.len().max(SMALL) * 2);
        }
        let read = read.map(|(bytes, _)| bytes.len());
        assert_eq!(budget.reserved(), 0);
        assert!(budget.large.used().by_client.is_empty() && budget.small.used().by_client.is_empty());
        read
    }

    #[tokio::test]
    async fn bodies_are_read_up_to_their_limit() {
        for (parts, declared) in [
            (&[][..], Some(0)),
            (&[5_000, 5_000], Some(10_000)),
            (&[5_000, 5_000], None),
            (&[16_384], Some(16_384)),
            (&[16_384], None),
        ] {
            let length = parts.iter().sum();
            assert_eq!(read_all(parts, declared, 16_384).await, Ok(length), "{parts:?}");
        }
        assert_eq!(read_all(&[16_385], None, 16_384).await, Err(BodyError::TooLarge));
        assert_eq!(
            read_all(&[16_384, 1], None, 16_384).await,
            Err(BodyError::TooLarge)
        );
        let tiny = vec![1; 16_385];
        assert_eq!(read_all(&tiny, None, 16_384).await, Err(BodyError::TooLarge));
    }

    #[tokio::test]
    async fn what_says_that_it_is_too_large_is_not_asked_for() {
        let (_sender, mut body) = body(Some(16_385));
        let budget = BodyBudget::default();
        let read = budget.read(&mut body, 16_384, client(1)).await;
        assert_eq!(read.map(|_| ()), Err(BodyError::TooLarge));
        assert!(!body.was_asked_for);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_given_up() {
        let budget = BodyBudget::default();
        let (sender, body) = body(Some(10_000));
        let begun = Instant::now();
        let trickle = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if sender.send(Bytes::from_static(b"x")).is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            read = budget.read(body, 16_384, client(1)) => {
                assert_eq!(read.map(|_| ()), Err(BodyError::TooSlow));
            }
            () = trickle => {}
        }
        assert_eq!(begun.elapsed(), BODY_TIMEOUT);
        assert_eq!(budget.reserved(), 0);
    }

    #[tokio::test]
    async fn a_request_that_is_given_up_gives_its_memory_back() {
        let budget = BodyBudget::default();
        let (_sender, body) = body(Some(10_000));
        let reading = tokio::spawn({
            let budget = budget.clone();
            async move { budget.read(body, 16_384, client(1)).await.map(|_| ()) }
        });
        while budget.reserved() == 0 {
            tokio::task::yield_now().await;
        }
        reading.abort();
        assert!(reading.await.unwrap_err().is_cancelled());
        assert_eq!(budget.reserved(), 0);
    }

    #[tokio::test]
    async fn the_memory_is_kept_until_the_answer() {
        let budget = BodyBudget::default();
        let hold = BodyHold::default();
        hold.keep(budget.reserve(client(1), 5_000).unwrap());
        let copy = hold.clone();
        drop(hold);
        assert_eq!(budget.reserved(), 5_000);
        drop(copy);
        assert_eq!(budget.reserved(), 0);
    }

    #[test]
    fn one_address_has_a_share_and_small_bodies_a_budget_of_their_own() {
        let budget = BodyBudget::new((2_000, 1_200), (100_000, 40_000));
        let large: Vec<_> = (0..4).map_while(|_| budget.reserve(client(1), 10_000)).collect();
        assert_eq!(large.len(), 4);
        assert!(budget.reserve(client(1), 1_025).is_none(), "its share is used up");
        let others: Vec<_> = (2..=7)
            .map_while(|last| budget.reserve(client(last), 10_000))
            .collect();
        assert_eq!(others.len(), 6);
        assert!(budget.reserve(client(9), 10_000).is_none(), "all is used up");
        let small = budget.reserve(client(1), 1_000).unwrap();
        assert!(budget.reserve(client(1), 1_000).is_none(), "its share is used up");
        let other = budget.reserve(client(9), 1_000).unwrap();
        assert!(budget.reserve(client(8), 100).is_none(), "all is used up");
        drop((large, others, small, other));
        assert_eq!(budget.reserved(), 0);
    }

    #[test]
    fn small_bodies_that_are_held_back_keep_nobody_from_signing_in() {
        let budget = BodyBudget::default();
        let mut held = Vec::new();
        for last in 0..8 {
            let own: Vec<_> = std::iter::from_fn(|| budget.reserve(client(last), SMALL)).collect();
            assert_eq!(own.len(), 512, "no address has more than its share");
            held.extend(own);
        }
        assert!(budget.reserve(client(16), SMALL).is_some());
        // Nor do all that can be held back over the connections that there are.
        held.truncate(SMALL_BODIES - 1);
        held.extend((held.len()..SMALL_BODIES - 1).map(|_| budget.reserve(None, SMALL).unwrap()));
        assert!(budget.reserve(client(16), SMALL).is_some());
    }
}
