//! One batch on several workers, and several bindings on the same ones.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forebay_core::outcome::Outcome;

use super::guest::{Folder, handler, job, settings};
use crate::{Compiler, Host, HostSettings, Job, Plugin};

fn rig(threads: usize) -> (Host, Arc<Plugin>, Folder) {
    let folder = Folder::new();
    let threads = NonZeroUsize::new(threads).unwrap();
    let cache_bytes = HostSettings::CACHE_BYTES;
    let host = Host::start(HostSettings { threads, cache_dir: None, cache_bytes, compiler: Compiler::Here }).unwrap();
    let mut settings = settings(&folder.write("guest.wasm", &handler()));
    settings.limits.cpu = Duration::from_millis(100);
    let plugin = host.load(&settings).unwrap();
    (host, plugin, folder)
}

/// A job that may be cut, of a binding.
fn shared(values: &[&str], binding: &str) -> Job {
    Job { is_whole: false, binding: binding.into(), ..job(values, 0..values.len()) }
}

#[tokio::test]
async fn a_batch_in_pieces_has_its_outcomes_in_the_order_of_its_records() {
    let (host, plugin, _folder) = rig(3);
    let values: Vec<String> = (0..20_000).map(|index| format!("v{index}")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    for range in [0..20_000, 1..2, 7_000..19_999, 5..5] {
        let job = Job { range: range.clone(), ..shared(&values, "orders") };
        let handled = host.handle(&plugin, job).await.unwrap();
        let words = handled.into_iter().map(|one| one.result.unwrap());
        assert!(words.eq(values[range.clone()].iter().map(|value| Outcome::Skip((*value).to_owned()))), "{range:?}");
    }
}

#[tokio::test]
async fn what_has_no_room_is_left_out_from_its_first_record_on() {
    let (host, plugin, _folder) = rig(3);
    let values = vec!["vword"; 20_000];
    for output_bytes in [0, 1, 10_000, 500_000] {
        let handled = host.handle(&plugin, Job { output_bytes, ..shared(&values, "orders") }).await.unwrap();
        let bytes: usize = handled.iter().map(forebay_core::outcome::Handled::bytes).sum();
        assert!(!handled.is_empty() && handled.len() < values.len(), "{} of {output_bytes}", handled.len());
        assert!(bytes <= output_bytes + handled[0].bytes() * 3, "{bytes} of {output_bytes}");
    }
}

#[tokio::test]
async fn an_abandoned_batch_leaves_the_workers_to_others() {
    let (host, plugin, _folder) = rig(2);
    // Each spins for its whole budget, twice.
    let spins = ["l"; 1_000];
    let abandoned = host.handle(&plugin, shared(&spins, "spins"));
    assert!(tokio::time::timeout(Duration::from_millis(300), abandoned).await.is_err());
    let begun = Instant::now();
    assert_eq!(host.handle(&plugin, shared(&["vword"], "spins")).await.unwrap().len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_binding_that_spins_holds_up_no_other() {
    let (host, plugin, _folder) = rig(2);
    let (spins, words) = (["l"; 400], ["vword"; 100]);
    host.handle(&plugin, shared(&words, "words")).await.unwrap();
    let spinning = host.handle(&plugin, shared(&spins, "spins"));
    let others = async {
        for _ in 0..50 {
            host.handle(&plugin, shared(&words, "words")).await.unwrap();
        }
    };
    // 400 records of 200 ms each are over a minute of one worker.
    tokio::select! {
        _ = spinning => panic!("the one that spins was first"),
        () = others => {}
    }
}
