//! `forebay plugin test` finds out a handler that keeps something between messages.

use std::fs;

use crate::languages::{Project, edit};
use crate::project::run;

async fn what_is_kept_between_messages_is_found_out(language: &str, source: &str, handler: &str) {
    let project = Project::new(language).await;
    fs::write(project.file(source), handler).unwrap();
    edit(&project.file("forebay.toml"), "largest-amount = 1000", r#"what = "nothing""#);
    project.build().await;
    // The clock, and what the SDK has of chance, come from the message.
    run(project.forebay(&["plugin", "test", "--bless"]))
        .await
        .assert(0, &["9 applied", "pure: the same outcomes in 5 more ways"]);

    for (before, what) in [("nothing", "count"), ("count", "random")] {
        let what = [before, what].map(|what| format!(r#"what = "{what}""#));
        edit(&project.file("forebay.toml"), &what[0], &what[1]);
        let said = run(project.forebay(&["plugin", "test", "--bless"])).await;
        said.assert(65, &[
            "not a pure function (and in 3 more of 5 ways):",
            "sample 1 of ./my-app.jsonl, each twice in a row, after one other message in the same instance; alone (-) and then (+):",
            "is not a pure function: it keeps something between messages",
        ]);
        let changed = |sign: char| said.out.lines().filter(|line| line.trim_start().starts_with(sign)).count();
        assert_eq!((changed('-'), changed('+')), (1, 1), "only the amount differs: {}", said.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_javascript_keeps_between_messages_is_found_out() {
    what_is_kept_between_messages_is_found_out("js", "handler.js", include_str!("impure/handler.js")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_python_keeps_between_messages_is_found_out() {
    what_is_kept_between_messages_is_found_out("python", "handler.py", include_str!("impure/handler.py")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rust_keeps_between_messages_is_found_out() {
    what_is_kept_between_messages_is_found_out("rust", "src/lib.rs", include_str!("impure/lib.rs")).await;
}
