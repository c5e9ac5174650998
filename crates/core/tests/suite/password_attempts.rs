//! Attempts at passwords on several replicas, in random order and many at once.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tokio::task::JoinSet;
use zenml_auth_core::memory::MemoryStore;
use zenml_auth_core::services::{Engine, FirstAdministrator, PasswordSignInError, Ports, set_up};
use zenml_auth_core::settings::Settings;
use zenml_auth_model::{Origin, Secret, Timestamp};
use zenml_auth_testkit::clock::ManualClock;
use zenml_auth_testkit::entropy::SeededEntropy;

use crate::common::{CHEAP, PASSWORD, name};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const REPLICAS: usize = 2;
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
enum Step {
    Wait(Duration),
    /// Guesses at once, each at a replica and from a network.
    Guess(Vec<(usize, u8)>),
    /// The owner signs in at home, so many times at once, while others guess.
    SignIn {
        times: usize,
        beside: Vec<(usize, u8)>,
    },
    /// The owner mistypes the password at home.
    Mistype,
}

fn guesses() -> impl Strategy<Value = Vec<(usize, u8)>> {
    proptest::collection::vec((0..REPLICAS, any::<u8>()), 0..12)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0_u64..1800).prop_map(|seconds| Step::Wait(Duration::from_secs(seconds))),
        1 => (0_u64..5).prop_map(|seconds| Step::Wait(Duration::from_secs(seconds))),
        4 => guesses().prop_map(Step::Guess),
        2 => (1_usize..6, guesses()).prop_map(|(times, beside)| Step::SignIn { times, beside }),
        1 => Just(Step::Mistype),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    In,
    Wrong,
    Refused(Duration),
}

struct World {
    engines: Vec<Arc<Engine>>,
    clock: ManualClock,
}

impl World {
    async fn new() -> Self {
        let clock = ManualClock::default();
        let ports = Ports {
            store: Arc::new(MemoryStore::new()),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SeededEntropy::new(7)),
            encryption: zenml_auth_testkit::encryption::encryption_keys(),
        };
        let administrator = FirstAdministrator {
            name: name("default"),
            password: Some(Secret::new(PASSWORD)),
        };
        set_up(&ports, administrator, CHEAP).await.unwrap();
        let mut engines = Vec::new();
        for _ in 0..REPLICAS {
            let engine = Engine::open(ports.clone(), Settings::default(), CHEAP)
                .await
                .unwrap();
            engines.push(Arc::new(engine));
        }
        Self { engines, clock }
    }

    fn start(
        &self,
        replica: usize,
        from: IpAddr,
        account: &'static str,
        password: &'static str,
    ) -> impl Future<Output = Came> + Send + use<> {
        let engine = Arc::clone(&self.engines[replica]);
        let origin = Origin {
            address: Some(from),
            ..Origin::default()
        };
        async move {
            match engine
                .sign_in()
                .with_password(account, Secret::new(password), &origin)
                .await
            {
                Ok(_) => Came::In,
                Err(PasswordSignInError::Invalid) => Came::Wrong,
                Err(PasswordSignInError::TooMany(error)) => Came::Refused(error.retry_after),
                Err(other) => panic!("{other}"),
            }
        }
    }

    async fn guess(&self, account: &'static str, guesses: Vec<(usize, u8)>) -> usize {
        let mut running = JoinSet::new();
        for (replica, network) in guesses {
            let from = IpAddr::V4(Ipv4Addr::new(198, 51, 100, network));
            running.spawn(self.start(replica, from, account, "a wrong guess"));
        }
        let came = running.join_all().await;
        assert!(!came.contains(&Came::In));
        came.iter().filter(|came| **came == Came::Wrong).count()
    }
}

/// How many guesses may have been made when the last one before had to wait as long as it had: ten cost nothing, then each
/// doubles the wait, up to a quarter of an hour. Each replica may have one under way.
fn most_guesses(from: Timestamp, now: Timestamp) -> usize {
    let quarters = now.since(from).as_secs() / 900;
    10 + REPLICAS * (11 + usize::try_from(quarters).unwrap())
}

async fn play(steps: Vec<Step>, account: &'static str) -> Result<(), TestCaseError> {
    let world = World::new().await;
    let begun = zenml_auth_core::ports::Clock::now(&world.clock);
    prop_assert_eq!(world.start(0, HOME, "default", PASSWORD).await, Came::In);
    let mut guessed = 0;
    let mut mistyped = 0;
    for step in steps {
        match step {
            Step::Wait(time) => world.clock.advance(time),
            Step::Guess(guesses) => guessed += world.guess(account, guesses).await,
            Step::SignIn { times, beside } => {
                let mut owner = JoinSet::new();
                for number in 0..times {
                    owner.spawn(world.start(number % REPLICAS, HOME, "default", PASSWORD));
                }
                guessed += world.guess(account, beside).await;
                let came = owner.join_all().await;
                prop_assert!(
                    came.iter().all(|came| *came == Came::In),
                    "the owner at home: {:?}",
                    came
                );
                mistyped = 0;
            }
            Step::Mistype if mistyped < 9 => {
                mistyped += 1;
                prop_assert_eq!(world.start(1, HOME, "default", "a typo").await, Came::Wrong);
            }
            Step::Mistype => {}
        }
        let now = zenml_auth_core::ports::Clock::now(&world.clock);
        prop_assert!(guessed <= most_guesses(begun, now), "{} guesses", guessed);
    }
    Ok(())
}

fn run(steps: Vec<Step>, account: &'static str) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(play(steps, account))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever strangers do, on whichever replica and however many at once, they get no more guesses than they should, and
    /// the owner is never refused at home.
    #[test]
    fn strangers_are_slowed_down_and_the_owner_is_not(steps in proptest::collection::vec(step(), 1..40)) {
        run(steps, "default")?;
    }

    /// And at a name that nobody has, they get as many.
    #[test]
    fn a_name_that_nobody_has_is_no_different(steps in proptest::collection::vec(step(), 1..40)) {
        run(steps, "nobody")?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_guessing_gets_a_hundred_guesses() {
    let world = World::new().await;
    let mut guessed = 0;
    for _ in 0..24 * 60 {
        guessed += world.guess("default", vec![(0, 1), (1, 2), (0, 3)]).await;
        world.clock.advance(MINUTE);
    }
    // 96 quarters of an hour, on two replicas.
    assert!((96..=10 + REPLICAS * 107).contains(&guessed), "{guessed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_waits_are_told_and_hold() {
    let world = World::new().await;
    let from = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
    for number in 0..10 {
        assert_eq!(
            world.start(number % 2, from, "default", "a wrong guess").await,
            Came::Wrong
        );
    }
    for exponent in 0..6 {
        let wait = Duration::from_secs(1 << exponent);
        assert_eq!(
            world.start(0, from, "default", PASSWORD).await,
            Came::Refused(wait)
        );
        world.clock.advance(wait - Duration::from_micros(1));
        let left = Came::Refused(Duration::from_micros(1));
        assert_eq!(world.start(1, from, "default", PASSWORD).await, left);
        world.clock.advance(Duration::from_micros(1));
        assert_eq!(
            world.start(1, from, "default", "a wrong guess").await,
            Came::Wrong
        );
    }
    // A day without a failure, and it begins anew.
    world.clock.advance(Duration::from_secs(24 * 60 * 60 + 1));
    for _ in 0..10 {
        assert_eq!(
            world.start(0, from, "default", "a wrong guess").await,
            Came::Wrong
        );
    }
    assert_eq!(
        world.start(0, from, "default", PASSWORD).await,
        Came::Refused(Duration::from_secs(1))
    );
}
