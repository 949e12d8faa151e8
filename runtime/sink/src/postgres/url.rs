//! A connection string with `sslmode` up to `verify-full`, which the client's own parser does not know.

use std::path::PathBuf;

use forebay_core::manifest::settings::{Sink, Timeouts};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

/// A connection string that can not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sink `{sink}`: url: {what}")]
pub struct InvalidUrl {
    sink: String,
    what: String,
}

/// How far the server's certificate is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verify {
    /// No TLS, or TLS without a look at the certificate, as libpq does for `prefer` and `require`.
    Nothing,
    /// Signed by a known authority.
    Authority,
    /// And made out to this host.
    Full,
}

/// What a connection string says.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) config: Config,
    pub(super) verify: Verify,
    pub(super) root: Option<PathBuf>,
}

/// Says what is wrong with a sink's connection string.
pub(super) fn invalid(sink: &Sink, what: String) -> InvalidUrl {
    InvalidUrl { sink: sink.name.clone(), what }
}

/// Reads the sink's connection string.
pub(super) fn parse(sink: &Sink) -> Result<Target, InvalidUrl> {
    let invalid = |what: String| invalid(sink, what);
    let (bare, mode, root) = take_tls(sink.url.expose());
    let mut config: Config = bare.parse().map_err(|error: tokio_postgres::Error| {
        // The client's message quotes keys, never the value of a password.
        invalid(format!("is no PostgreSQL connection string ({error}); write postgres://USER:PASSWORD@HOST/DATABASE"))
    })?;
    let (ssl_mode, verify) = match mode.as_deref() {
        Some("disable") => (SslMode::Disable, Verify::Nothing),
        None | Some("allow" | "prefer") => (SslMode::Prefer, Verify::Nothing),
        Some("require") if root.is_some() => (SslMode::Require, Verify::Authority),
        Some("require") => (SslMode::Require, Verify::Nothing),
        Some("verify-ca") => (SslMode::Require, Verify::Authority),
        Some("verify-full") => (SslMode::Require, Verify::Full),
        Some(other) => {
            let known = "disable, prefer, require, verify-ca, verify-full";
            return Err(invalid(format!("sslmode `{other}` is not known; it is one of {known}")));
        }
    };
    let Timeouts { connect, statement: _, lock: _, idle } = sink.timeouts;
    config.ssl_mode(ssl_mode).connect_timeout(connect).tcp_user_timeout(idle).keepalives_idle(idle / 2);
    config.keepalives_interval(idle / 4).keepalives_retries(2);
    if config.get_application_name().is_none() {
        config.application_name("forebay");
    }
    Ok(Target { config, verify, root: root.map(PathBuf::from) })
}

/// Takes `sslmode` and `sslrootcert` out of a URL's query or a list of keywords.
fn take_tls(url: &str) -> (String, Option<String>, Option<String>) {
    let (mut mode, mut root) = (None, None);
    let mut keep = |part: &str| match part.split_once('=') {
        Some(("sslmode", value)) => {
            mode = Some(value.trim_matches('\'').to_owned());
            false
        }
        Some(("sslrootcert", value)) => {
            root = Some(value.trim_matches('\'').to_owned());
            false
        }
        _ => true,
    };
    let bare = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let kept: Vec<&str> = query.split('&').filter(|part| !part.is_empty() && keep(part)).collect();
        if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) }
    } else {
        let kept: Vec<&str> = url.split_whitespace().filter(|part| keep(part)).collect();
        kept.join(" ")
    };
    (bare, mode, root)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use forebay_core::manifest::settings::{Secret, SinkKind};

    use super::*;

    fn target(url: &str) -> Result<Target, InvalidUrl> {
        let second = Duration::from_secs(1);
        parse(&Sink {
            name: "warehouse".into(),
            kind: SinkKind::Postgres,
            url: Secret::new(url),
            pool_size: NonZeroUsize::MIN,
            timeouts: Timeouts { connect: second, statement: second, lock: second, idle: second },
        })
    }

    #[test]
    fn knows_every_mode_in_both_forms() {
        for (mode, verify) in
            [("disable", Verify::Nothing), ("verify-ca", Verify::Authority), ("verify-full", Verify::Full)]
        {
            let from_url = target(&format!("postgres://me:pw@host/db?sslmode={mode}&application_name=x")).unwrap();
            let from_words = target(&format!("host=host user=me dbname=db sslmode={mode}")).unwrap();
            assert_eq!((from_url.verify, from_words.verify), (verify, verify));
            assert_eq!(from_url.config.get_application_name(), Some("x"));
        }
        assert_eq!(target("postgres://host/db?sslrootcert=/ca.pem&sslmode=require").unwrap().verify, Verify::Authority);
    }

    #[test]
    fn refuses_what_it_does_not_know_and_names_no_password() {
        let error = target("postgres://me:secret@host/db?sslmode=maybe").err().unwrap().to_string();
        assert!(error.contains("`maybe`") && !error.contains("secret"), "{error}");
        let error = target("not a url").err().unwrap().to_string();
        assert!(error.contains("sink `warehouse`"), "{error}");
    }
}
