//! What it costs to write a page of a listing, once the rows are there: `cargo bench -p zenml-auth-api`.

#![allow(clippy::unwrap_used, reason = "a benchmark of what can't fail")]

use divan::{Bencher, black_box};
use zenml_auth_api::api_key::ApiKeyResponse;
use zenml_auth_api::device::DeviceResponse;
use zenml_auth_api::{Hydrate, PageResponse};
use zenml_auth_model::query::{Page, PageRequest};
use zenml_auth_testkit::builders::Builders;

/// The default and the largest size of a page.
const SIZES: [u32; 2] = [20, 10_000];

fn main() {
    divan::main();
}

fn page<T>(size: u32, item: impl Fn() -> T) -> Page<T> {
    Page {
        items: (0..size).map(|_| item()).collect(),
        total: u64::from(size),
        request: PageRequest::new(1, size).unwrap(),
    }
}

#[divan::bench(args = SIZES)]
fn devices(bencher: Bencher<'_, '_>, size: u32) {
    let builders = Builders::new();
    let owner = builders.user("anna");
    bencher
        .with_inputs(|| page(size, || builders.device(&owner)))
        .bench_local_values(|page| {
            let convert = |device| DeviceResponse::from_device(&device, &owner, Hydrate::Yes);
            serde_json::to_vec(black_box(&PageResponse::from_page(page, convert))).unwrap()
        });
}

#[divan::bench(args = SIZES)]
fn api_keys(bencher: Bencher<'_, '_>, size: u32) {
    let builders = Builders::new();
    let account = builders.service_account("ci");
    bencher
        .with_inputs(|| page(size, || builders.api_key(&account, "default")))
        .bench_local_values(|page| {
            let convert = |key| ApiKeyResponse::from_key(&key, &account, Hydrate::Yes, None);
            serde_json::to_vec(black_box(&PageResponse::from_page(page, convert))).unwrap()
        });
}
