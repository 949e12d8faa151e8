//! Components that are small and large to compile, or not what they seem.

use super::{Parts, Row, WORLD, text, withstands_compiling};
use crate::tests::guest::{component, component_of_text, handler};

fn fields(fields: &str) -> Vec<u8> {
    component(&text(&Parts { fields, ..Parts::DEFAULT }), &[], WORLD)
}

/// The first bytes of a component.
const HEAD: &[u8] = b"\0asm\x0d\0\x01\0";

/// A component around components, so many deep.
fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(HEAD.to_vec(), |inner, _| [HEAD, &section(4, &inner)].concat())
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let mut section = vec![id];
    let mut left = content.len();
    while left > 0x7f {
        section.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
        left >>= 7;
    }
    section.push(u8::try_from(left).unwrap());
    section.extend_from_slice(content);
    section
}

/// Types that double in size from one to the next.
fn doubling(times: usize) -> Vec<u8> {
    let types: String =
        (1..=times).map(|number| format!("(type $t{number} (tuple $t{0} $t{0}))", number - 1)).collect();
    component_of_text(&format!("(component (type $t0 (tuple u64 u64)) {types})"))
}

/// A handler behind a section that nobody reads.
fn with_section(bytes: usize) -> Vec<u8> {
    let mut content = vec![1, b'x'];
    content.resize(bytes, 0);
    [handler(), section(0, &content)].concat()
}

/// A component of so many instances of one module.
fn instances(count: usize) -> Vec<u8> {
    component_of_text(&format!("(component (core module $m) {})", "(core instance (instantiate $m))".repeat(count)))
}

pub(super) fn rows() -> Vec<Row> {
    let refused = "refused: does not compile: ";
    let row = |name, outcome, component| Row { name, outcome, component };
    let locals = format!("(func {})", "(local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)".repeat(10_000));
    let table = format!("(func (block $b (br_table {}$b (i32.const 0))))", "$b ".repeat(60_000));
    let blocks = format!("(func {}{})", "(block ".repeat(3_000), ")".repeat(3_000));
    let functions = "(func (param i32) (result i32) (local.get 0))".repeat(20_000);
    vec![
        row("has a function of a hundred thousand locals", refused, fields(&locals)),
        row("has a jump table of sixty thousand ways", "harmless", fields(&table)),
        row("has three thousand blocks in one another", "harmless", fields(&blocks)),
        row("has twenty thousand functions", "harmless", fields(&functions)),
        row(
            "is a component in a component, two thousand deep",
            "refused: does not export `forebay:handler/handler@0.1.0`",
            nested(2_000),
        ),
        row("has a type of 2^40 values", refused, doubling(40)),
        row("has a thousand core instances", refused, instances(1_000)),
        row("has 20 MiB that nobody reads", "harmless", with_section(20 << 20)),
        row("has more bytes than any component", "refused: has more than ", with_section(40 << 20)),
        row("is cut off", refused, handler().get(..1_000).map_or_else(Vec::new, <[u8]>::to_vec)),
        row("is noise behind a component's first bytes", refused, noise()),
    ]
}

/// The first bytes of a component, and then bytes that a multiplication makes.
fn noise() -> Vec<u8> {
    let mut state = 7_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    HEAD.iter().copied().chain(std::iter::repeat_with(next).take(10_000)).collect()
}

#[tokio::test]
async fn bombs() {
    withstands_compiling(rows()).await;
}
