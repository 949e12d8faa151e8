//! Handlers in JavaScript, TypeScript and Python.

use std::fs;

use crate::languages::{Language, Project, edit, the_samples_give_what_they_give_in_rust, trouble_is_told_alike};
use crate::project::run;

/// What no component is made of.
struct Refusals {
    /// Handlers, and what is said of each.
    sources: &'static [(&'static str, &'static [&'static str])],
    /// What is said where a language's tools are not there.
    advice: &'static str,
}

const JS: Language = Language {
    name: "js",
    called: "JavaScript",
    source: "handler.js",
    test: (&["npm", "test"], "# pass 4"),
    trouble: r#"import { apply, handler, reject } from "forebay-plugin";

const ANSWERS = {
  now: () => reject("now", `${Date.now()} ${new Date().toISOString()}`),
  random: () => reject("random", Math.random()),
  fail: () => {
    throw new TypeError("it broke");
  },
};

export default handler((message) => ANSWERS[message.json()]());
"#,
};

const JS_REFUSALS: Refusals = Refusals {
    sources: &[
        (
            "import { apply } from \"forebay-plugin\";\nexport default apply(;\n",
            &["handler.js:2:21", "Unexpected \";\""],
        ),
        ("import fs from \"node:fs\";\nexport default fs;\n", &["handler.js:1:15", "a handler does no I/O"]),
        ("const now = 5;\nDate.now();\nexport default now;\n", &["no clock of its own", "(handler.js:2)"]),
        ("export default 5;\n", &["export default handler(FUNCTION)"]),
    ],
    advice: "apt-get install nodejs npm",
};

const PYTHON: Language = Language {
    name: "python",
    called: "Python",
    source: "handler.py",
    test: (&["python3", "-m", "unittest"], "Ran 4 tests"),
    trouble: r#"import random
import time
from datetime import datetime, timezone

from forebay_plugin import reject
def fail():
    raise TypeError("it broke")


def handle(message):
    what = message.json()
    if what == "now":
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
        return reject("now", f"{time.time_ns() // 1_000_000} {now}.500Z")
    return reject("random", random.random()) if what == "random" else fail()
"#,
};

const PYTHON_REFUSALS: Refusals = Refusals {
    sources: &[
        ("def handle(message:\n", &["\"handler.py\", line 1", "SyntaxError"]),
        ("import time\nNOW = time.time()\n", &["\"handler.py\", line 2", "no clock of its own"]),
        ("handle = 5\n", &["handler.py has no function `handle`"]),
    ],
    advice: "apt-get install python3 python3-venv",
};

async fn what_is_refused_says_where_and_why(project: &Project, language: &Language, refusals: &Refusals) {
    let component = fs::read(project.file("my-app.wasm")).unwrap();
    for (source, parts) in refusals.sources {
        fs::write(project.file(language.source), source).unwrap();
        run(project.forebay(&["plugin", "build"])).await.assert(65, parts);
    }
    assert!(fs::read(project.file("my-app.wasm")).unwrap() == component, "what was there stays");

    let fresh = Project::new(language.name).await;
    let mut without = fresh.forebay(&["plugin", "build"]);
    without.env("PATH", fresh.file("sdk"));
    run(without).await.assert(78, &["No such file", &format!("on Debian run `{}`", refusals.advice)]);
}

async fn settings_that_do_not_fit_are_told_before_a_message_comes(project: &Project) {
    let manifest = project.file("forebay.toml");
    edit(&manifest, "largest-amount = 1000", "largest-amount = 1000, more = 1");
    let mut check = project.forebay(&["check", "--offline"]);
    check.env("DATABASE_URL", "postgres://u@127.0.0.1:1/d");
    run(check).await.assert(65, &["(bad-config)", "more"]);
    edit(&manifest, "largest-amount = 1000, more = 1", "largest-amount = 1000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_in_javascript_does_what_one_in_rust_does() {
    let project = the_samples_give_what_they_give_in_rust(&JS).await;
    settings_that_do_not_fit_are_told_before_a_message_comes(&project).await;
    trouble_is_told_alike(&project, &JS).await;
    typescript_is_told_by_its_own_lines(&project).await;
    what_is_refused_says_where_and_why(&project, &JS, &JS_REFUSALS).await;
}

/// Types are taken away, several files become one, and a place is still where one wrote it.
async fn typescript_is_told_by_its_own_lines(project: &Project) {
    let handler = r#"import { handler, skip, type Message, type Outcome } from "forebay-plugin";
import { reasonOf } from "./rules/reason";

export default handler((message: Message): Outcome => skip(reasonOf(message.json())));
"#;
    let rules = r#"type What = "fail" | "now" | "random";

/** Every line above and below is gone in the component. */
export function reasonOf(what: What): string {
  if (what === ("fail" as What)) throw new RangeError("in a rule");
  return what;
}
"#;
    fs::create_dir(project.file("rules")).unwrap();
    fs::write(project.file("handler.ts"), handler).unwrap();
    fs::write(project.file("rules/reason.ts"), rules).unwrap();
    edit(&project.file("package.json"), "\"main\": \"handler.js\"", "\"main\": \"handler.ts\"");
    project.build().await;
    let whys = project.whys(&["now", "fail"]).await;
    assert_eq!(whys[0]["reason"], "now", "{:?}", whys[0]);
    let told = whys[1]["message"].as_str().unwrap();
    assert!(told.starts_with("uncaught at rules/reason.ts:5: RangeError: in a rule\n  at reasonOf ("), "{told}");
    edit(&project.file("package.json"), "\"main\": \"handler.ts\"", "\"main\": \"handler.js\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_in_python_does_what_one_in_rust_does() {
    let project = the_samples_give_what_they_give_in_rust(&PYTHON).await;
    settings_that_do_not_fit_are_told_before_a_message_comes(&project).await;
    trouble_is_told_alike(&project, &PYTHON).await;
    what_is_refused_says_where_and_why(&project, &PYTHON, &PYTHON_REFUSALS).await;
}
