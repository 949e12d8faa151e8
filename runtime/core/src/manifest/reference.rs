//! `${env:NAME}` and `${file:PATH}` in a string. What they stand for is put in once and not read for references again;
//! `$${` stands for `${` itself.

use std::path::Path;

use super::origin::Environment;

/// A reference that could not be resolved.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unresolved {
    /// As the string has it.
    pub(super) reference: String,
    /// What is wrong with it.
    pub(super) message: String,
    /// What to do about it.
    pub(super) hint: String,
}

const FORM_HINT: &str = "write `${env:NAME}` or `${file:PATH}`; `$${` stands for `${` itself";

/// Puts in what the references of `text` stand for, or says which can not be resolved.
pub(super) fn resolve(text: &str, folder: &Path, environment: &dyn Environment) -> Result<String, Vec<Unresolved>> {
    let mut resolved = String::new();
    let mut unresolved = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            resolved.push_str(before);
            resolved.push_str("${");
            rest = after;
            continue;
        }
        resolved.push_str(before);
        let Some((inside, after)) = after.split_once('}') else {
            unresolved.push(Unresolved {
                reference: format!("${{{after}"),
                message: "reference without its closing `}`".to_owned(),
                hint: FORM_HINT.to_owned(),
            });
            return Err(unresolved);
        };
        match look_up(inside, folder, environment) {
            Ok(value) => resolved.push_str(&value),
            Err(problem) => unresolved.push(problem),
        }
        rest = after;
    }
    resolved.push_str(rest);
    if unresolved.is_empty() { Ok(resolved) } else { Err(unresolved) }
}

fn look_up(inside: &str, folder: &Path, environment: &dyn Environment) -> Result<String, Unresolved> {
    let reference = format!("${{{inside}}}");
    match inside.split_once(':') {
        Some(("env", name)) if !name.is_empty() => environment.variable(name).ok_or_else(|| Unresolved {
            message: format!("the environment variable `{}` is not set", name.escape_debug()),
            hint: "set it where this process is started".to_owned(),
            reference,
        }),
        Some(("file", path)) if !path.is_empty() => match environment.file(&folder.join(path)) {
            Ok(text) => Ok(without_last_newline(text)),
            Err(error) => Err(Unresolved {
                message: format!("cannot read the file `{}`: {error}", path.escape_debug()),
                hint: "a relative path starts from the manifest's folder".to_owned(),
                reference,
            }),
        },
        scheme => Err(Unresolved {
            message: format!("unknown reference `{}`", reference.escape_debug()),
            hint: match scheme {
                None if !inside.is_empty() => format!("did you mean `${{env:{}}}`?", inside.escape_debug()),
                _ => FORM_HINT.to_owned(),
            },
            reference,
        }),
    }
}

/// Editors and `echo` end a file with a newline that is no part of the secret.
fn without_last_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    struct Fixed;

    impl Environment for Fixed {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "A").then(|| "${env:B}".to_owned())
        }

        fn file(&self, path: &Path) -> io::Result<String> {
            match path.to_str() {
                Some("/etc/forebay/token") => Ok("s3cret\r\n".to_owned()),
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        }
    }

    fn resolved(text: &str) -> Result<String, Vec<Unresolved>> {
        resolve(text, Path::new("/etc/forebay"), &Fixed)
    }

    #[test]
    fn puts_in_each_reference_once() {
        assert_eq!(resolved("x${env:A}y"), Ok("x${env:B}y".to_owned()));
        assert_eq!(resolved("${file:token}:${file:/etc/forebay/token}"), Ok("s3cret:s3cret".to_owned()));
        assert_eq!(resolved("$${env:A} costs $5"), Ok("${env:A} costs $5".to_owned()));
    }

    #[test]
    fn names_every_reference_that_is_missing() {
        let missing = resolved("${env:B} ${file:no} ${vault:x} ${env:} ${open").unwrap_err();
        let references: Vec<_> = missing.iter().map(|problem| problem.reference.as_str()).collect();
        assert_eq!(references, ["${env:B}", "${file:no}", "${vault:x}", "${env:}", "${open"]);
    }
}
