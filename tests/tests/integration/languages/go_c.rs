//! Handlers in Go and C: clock, chance and bugs are the message's in these two as well.

use std::fs;

use crate::languages::{Language, Project, the_samples_give_what_they_give_in_rust, trouble_is_told_alike};
use crate::project::run;

const GO: Language = Language {
    name: "go",
    called: "Go",
    source: "handler.go",
    test: (&["go", "test"], "ok  \tmy-app"),
    trouble: r#"package main

import ("crypto/rand"; "fmt"; numbers "math/rand"; "time"; "forebay")

// fail is a bug.
func fail() {
	panic("it broke")
}

func handle(m *forebay.Message) (forebay.Outcome, error) {
	var what string
	if err := m.JSON(&what); err != nil {
		return forebay.Outcome{}, err
	}
	switch what {
	case "now":
		now := time.Now().UTC()
		return forebay.Outcome{}, forebay.Reject("now", "%d %s", now.UnixMilli(), now.Format("2006-01-02T15:04:05.000Z"))
	case "random":
		bytes, order := make([]byte, 8), ""
		rand.Read(bytes)
		for key := range map[int]bool{1: true, 2: true, 3: true, 4: true, 5: true, 6: true, 7: true} {
			order += fmt.Sprint(key)
		}
		return forebay.Outcome{}, forebay.Reject("random", "%x %d %s", bytes, numbers.Int63(), order)
	case "asleep":
		before := time.Now()
		time.Sleep(90 * time.Second)
		return forebay.Outcome{}, forebay.Reject("asleep", "%s %d", time.Since(before), time.Now().UnixMilli())
	case "elsewhere":
		done := make(chan int)
		go func() { fail() }()
		<-done
	}
	fail()
	return forebay.Outcome{}, nil
}

func init() { forebay.Handle(handle) }
func main() {}
"#,
};

const C: Language = Language {
    name: "c",
    called: "C",
    source: "handler.c",
    test: (&["make", "test"], "a tombstone deletes the row"),
    trouble: r#"#include "forebay.h"
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void fail(void) {
    fb_fail("it broke");
}

void fb_handle(const fb_message *m, fb_outcome *out) {
    fb_json *what = fb_json_of(m, out);
    if (!what) return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long long millis = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
    if (fb_is(what->text, "now")) {
        char text[32];
        time_t seconds = time(NULL);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime(&seconds));
        fb_reject(out, "now", "%lld %s.%03lldZ", millis, text, millis % 1000);
    } else if (fb_is(what->text, "random")) {
        unsigned long long bytes;
        getentropy(&bytes, sizeof bytes);
        fb_reject(out, "random", "%llx %d", bytes, rand());
    } else if (fb_is(what->text, "asleep")) {
        sleep(90);
        fb_reject(out, "asleep", "1m30s %lld", (long long)time(NULL) * 1000 + 500);
    } else {
        fail();
    }
}
"#,
};

/// Who sleeps wakes later, and nobody else does.
async fn a_sleep_is_the_messages_own(project: &Project) {
    let whys = project.whys(&["asleep", "now"]).await;
    assert_eq!(whys[0]["message"], "1m30s 91500");
    assert_eq!(whys[1]["message"], "1500 1970-01-01T00:00:01.500Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_in_go_does_what_one_in_rust_does() {
    let project = the_samples_give_what_they_give_in_rust(&GO).await;
    trouble_is_told_alike(&project, &GO).await;
    a_sleep_is_the_messages_own(&project).await;
    // A panic that no handler's call can catch still says what and where.
    let why = project.whys(&["elsewhere"]).await.remove(0);
    let told = why["message"].as_str().unwrap_or_default();
    assert!(told.starts_with("panic: it broke") && told.contains("handler.go:7"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_in_c_does_what_one_in_rust_does() {
    let project = the_samples_give_what_they_give_in_rust(&C).await;
    trouble_is_told_alike(&project, &C).await;
    a_sleep_is_the_messages_own(&project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sources_draw_other_numbers() {
    for language in [&GO, &C] {
        let project = Project::new(language.name).await;
        let manifest = fs::read_to_string(project.file("forebay.toml")).unwrap();
        fs::write(project.file("forebay.toml"), manifest.replace("config = { largest-amount = 1000 }", "")).unwrap();
        let mut drawn = Vec::new();
        for remark in ["", "// Another.\n"] {
            fs::write(project.file(language.source), format!("{}{remark}", language.trouble)).unwrap();
            project.build().await;
            drawn.push(project.whys(&["random"]).await);
        }
        assert_ne!(drawn[0], drawn[1], "{}", language.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_message_there_is_no_time_and_no_chance() {
    let go = |asked: &str| {
        format!(
            "package main\nimport (\"crypto/rand\"; \"time\"; \"forebay\")\nvar _, _ = rand.Read, time.Now\nvar asked = {asked}\nfunc handle(*forebay.Message) (forebay.Outcome, error) {{ return forebay.Apply(), nil }}\nfunc init() {{ forebay.Handle(handle) }}\nfunc main() {{}}\n"
        )
    };
    let c = |asked: &str| {
        format!(
            "#include \"forebay.h\"\n#include <stdlib.h>\n#include <time.h>\nvoid fb_start(fb_str config, fb_outcome *out) {{ {asked}; }}\nvoid fb_handle(const fb_message *m, fb_outcome *out) {{ }}\n"
        )
    };
    for (language, source, words) in [
        (&GO, go("time.Now()"), ["a handler has no other clock", "handler.go:4"]),
        (&GO, go("rand.Text()"), ["crypto/rand: failed", "handler.go:4"]),
        (&C, c("time(NULL)"), ["time() has no other clock", "failed at sdk/libc.c"]),
        (&C, c("rand()"), ["there is no randomness", "failed at sdk/guest.c"]),
        (&C, c("srand(1)"), ["srand() is not to be had", "failed at sdk/libc.c"]),
    ] {
        let project = Project::new(language.name).await;
        fs::write(project.file(language.source), source).unwrap();
        project.build().await;
        run(project.forebay(&["dev", "--once"])).await.assert(65, &words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_compiler_it_says_where_to_get_one() {
    for (language, program, advice) in
        [("go", "start `go`", "https://go.dev/dl"), ("c", "start `clang-19`", "wasi-libc")]
    {
        let project = Project::new(language).await;
        let mut build = project.forebay(&["plugin", "build"]);
        build.env("PATH", project.file("sdk")).env_remove("WASI_SDK_PATH");
        run(build).await.assert(78, &[program, advice]);
        assert!(!project.file("my-app.wasm").exists());
    }
}
