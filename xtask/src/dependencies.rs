//! Licences and sources of dependencies, by the rules of `deny.toml`.
//!
//! `cargo deny` reads the same file and checks more. It takes minutes to compile on a new machine, which is too long
//! for each run of `./ci`; this check takes a second. Published advisories are left to `cargo deny`: see `SECURITY.md`.

use std::collections::BTreeMap;
use std::fs;
use std::iter::Peekable;
use std::str::SplitWhitespace;

use crate::command::{Command, root};

/// Licences of what this machine builds, and the sources of everything in `Cargo.lock`.
///
/// # Errors
/// The faults, one a line.
pub(crate) fn check() -> Result<(), String> {
    let read = |name: &str| fs::read_to_string(root().join(name)).map_err(|error| format!("{name}: {error}"));
    let rules = read("deny.toml")?;
    let allowed = allowed_licences(&rules);
    let mut faults = foreign_sources(&read("Cargo.lock")?);
    let tree = ["tree", "--workspace", "--locked", "--prefix", "none", "--format", "{p}|{l}"];
    let tree = Command::new("cargo", tree).output()?;
    let packages = licences(&tree);
    for (package, licence) in &packages {
        if !is_allowed(licence, &allowed) {
            faults.push(format!("{package} has the licence '{licence}', which deny.toml does not allow"));
        }
    }
    if faults.is_empty() {
        println!("{} packages have an allowed licence and come from the registry", packages.len());
        return Ok(());
    }
    Err(faults.join("\n"))
}

/// The licences that `deny.toml` allows: the strings of the list `allow` of its section `[licenses]`.
fn allowed_licences(config: &str) -> Vec<&str> {
    let section = config.split_once("[licenses]").map_or("", |(_, section)| section);
    let list = section.split_once("allow = [").map_or("", |(_, list)| list);
    let list = list.split_once(']').map_or("", |(list, _)| list);
    list.split('"').skip(1).step_by(2).collect()
}

/// Packages of `Cargo.lock` that come from anywhere but the one registry.
fn foreign_sources(lock: &str) -> Vec<String> {
    let sources = lock.lines().filter_map(|line| line.strip_prefix("source = "));
    let (registry, foreign): (Vec<&str>, Vec<&str>) =
        sources.partition(|source| source.starts_with("\"registry+"));
    let first = registry.first().copied();
    let others = registry.into_iter().filter(|source| Some(*source) != first);
    foreign
        .into_iter()
        .chain(others)
        .map(|source| format!("Cargo.lock has a package from {source}"))
        .collect()
}

/// The licence of each package of `cargo tree`, whose lines are `NAME VERSION ...|LICENCE`. A package that is shown
/// again has `(*)` at the end of its line.
fn licences(tree: &str) -> BTreeMap<&str, &str> {
    let lines = tree.lines().filter_map(|line| line.split_once('|'));
    lines.map(|(package, licence)| (package, licence.trim_end_matches("(*)").trim_end())).collect()
}

/// Whether an SPDX expression can be met with the allowed licences. `/` is an old spelling of `OR`.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let joined = spaced.replace(" WITH ", WITH);
    let mut tokens = joined.split_whitespace().peekable();
    any_of(&mut tokens, allowed) && tokens.next().is_none()
}

/// A licence and its exception are one token.
const WITH: &str = "+WITH+";

type Tokens<'a> = Peekable<SplitWhitespace<'a>>;

fn any_of(tokens: &mut Tokens<'_>, allowed: &[&str]) -> bool {
    let mut met = all_of(tokens, allowed);
    while tokens.next_if_eq(&"OR").is_some() {
        met |= all_of(tokens, allowed);
    }
    met
}

fn all_of(tokens: &mut Tokens<'_>, allowed: &[&str]) -> bool {
    let mut met = one(tokens, allowed);
    while tokens.next_if_eq(&"AND").is_some() {
        met &= one(tokens, allowed);
    }
    met
}

fn one(tokens: &mut Tokens<'_>, allowed: &[&str]) -> bool {
    match tokens.next() {
        Some("(") => {
            let met = any_of(tokens, allowed);
            tokens.next() == Some(")") && met
        }
        Some(licence) => allowed.iter().any(|allowed| allowed.replace(" WITH ", WITH) == licence),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_met_by_allowed_licences_alone() {
        let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];
        for met in ["MIT", "GPL-3.0 OR MIT", "GPL-3.0/MIT", "MIT AND ISC", "(GPL-3.0 OR MIT) AND ISC"] {
            assert!(is_allowed(met, &allowed), "{met}");
        }
        assert!(is_allowed("GPL-3.0 OR Apache-2.0 WITH LLVM-exception", &allowed));
        for not_met in
            ["", "GPL-3.0", "GPL-3.0 AND MIT", "MIT AND (ISC AND GPL-3.0)", "(MIT", "MIT ISC", "Apache-2.0"]
        {
            assert!(!is_allowed(not_met, &allowed), "{not_met}");
        }
    }

    #[test]
    fn the_list_of_allowed_licences_is_found() {
        let config = "[graph]\nallow = [\"no\"]\n[licenses]\nversion = 2\nallow = [\n  \"MIT\",\n  \"ISC\",\n]\nmore = [\"x\"]";
        assert_eq!(allowed_licences(config), ["MIT", "ISC"]);
    }

    #[test]
    fn a_package_from_elsewhere_is_found() {
        let lock =
            "source = \"registry+a\"\nsource = \"git+b\"\nsource = \"registry+a\"\nsource = \"registry+c\"\n";
        assert_eq!(foreign_sources(lock).len(), 2);
        assert!(foreign_sources("source = \"registry+a\"\nsource = \"registry+a\"\n").is_empty());
    }

    #[test]
    fn the_licence_of_a_repeated_package_is_read() {
        let tree = "a v1 (/path)|MIT OR ISC\n\nb v2|ISC (*)\n";
        assert_eq!(licences(tree), BTreeMap::from([("a v1 (/path)", "MIT OR ISC"), ("b v2", "ISC")]));
    }
}
