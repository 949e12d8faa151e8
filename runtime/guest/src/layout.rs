//! The SDKs for Go and C set the contract's values out in memory by themselves: where they lie there is what the contract
//! says.

use std::fs;

use wit_parser::{Int, Record, Resolve, SizeAlign, Type, TypeDefKind, Variant};

/// The contract's types, with their sizes in memory.
struct Contract {
    resolve: Resolve,
    sizes: SizeAlign,
}

impl Contract {
    fn read() -> Self {
        let mut resolve = Resolve::default();
        resolve.push_str("handler.wit", &text("wit/handler.wit")).unwrap();
        let mut sizes = SizeAlign::default();
        sizes.fill(&resolve);
        Self { resolve, sizes }
    }

    fn kind(&self, name: &str) -> (Type, &TypeDefKind) {
        let mut all = self.resolve.types.iter();
        let (id, found) = all.find(|(_, found)| found.name.as_deref() == Some(name)).unwrap();
        (Type::Id(id), &found.kind)
    }

    fn size(&self, name: &str) -> usize {
        self.sizes.size(&self.kind(name).0).size_wasm32()
    }

    /// Where a field of a record lies.
    fn field(&self, record: &str, field: &str) -> usize {
        let TypeDefKind::Record(Record { fields }) = self.kind(record).1 else { panic!("`{record}` is no record") };
        let place = fields.iter().position(|candidate| candidate.name == field).unwrap();
        let offsets = self.sizes.field_offsets(fields.iter().map(|field| &field.ty));
        offsets[place].0.size_wasm32()
    }

    fn variant(&self, name: &str) -> &Variant {
        let TypeDefKind::Variant(variant) = self.kind(name).1 else { panic!("`{name}` is no variant") };
        variant
    }

    /// Where a variant's value lies, which the byte that tells the case stands before.
    fn payload(&self, name: &str) -> usize {
        let cases = self.variant(name).cases.iter().map(|case| case.ty.as_ref());
        self.sizes.payload_offset(Int::U8, cases).size_wasm32()
    }

    fn cases(&self, name: &str) -> Vec<&str> {
        self.variant(name).cases.iter().map(|case| case.name.as_str()).collect()
    }
}

fn text(path: &str) -> String {
    fs::read_to_string(format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn go_sets_values_out_as_the_contract_says() {
    let contract = Contract::read();
    let go = text("plugins/go/layout_wasip1.go");
    for (name, value) in [
        ("headerSize", contract.size("header")),
        ("headerValue", contract.field("header", "value")),
        ("columnSize", contract.size("column")),
        ("columnValue", contract.field("column", "value")),
        ("valuePayload", contract.payload("value")),
        ("rowColumns", contract.field("row", "columns")),
        ("effectSize", contract.size("effect")),
        ("effectPayload", contract.payload("effect")),
        ("publishKey", contract.field("publish", "key")),
        ("publishValue", contract.field("publish", "value")),
        ("publishHeaders", contract.field("publish", "headers")),
        ("publishFacts", contract.field("publish", "metadata")),
        ("outcomeSize", contract.size("outcome")),
        ("outcomePayload", contract.payload("outcome")),
        ("failureMessage", contract.field("failure", "message")),
    ] {
        let line = go.lines().map(str::trim).find(|line| line.starts_with(&format!("{name} "))).unwrap();
        assert_eq!(line.split('=').nth(1).unwrap().trim(), value.to_string(), "{name}");
    }
}

#[test]
fn c_sets_values_out_as_the_contract_says() {
    let contract = Contract::read();
    let c = text("plugins/c/layout.h");
    let (effect, outcome) = (contract.payload("effect"), contract.payload("outcome"));
    for claim in [
        format!("sizeof(fb_sent_header) == {}", contract.size("header")),
        format!("offsetof(fb_sent_header, value) == {}", contract.field("header", "value")),
        format!("sizeof(fb_column) == {}", contract.size("column")),
        format!("offsetof(fb_column, kind) == {}", contract.field("column", "value")),
        format!("offsetof(fb_column, value) == {}", contract.field("column", "value") + contract.payload("value")),
        format!("sizeof(fb_effect) == {}", contract.size("effect")),
        format!("offsetof(fb_effect, row) == {effect}"),
        format!("offsetof(fb_effect, row.columns) == {}", effect + contract.field("row", "columns")),
        format!("offsetof(fb_effect, publish.key) == {}", effect + contract.field("publish", "key")),
        format!("offsetof(fb_effect, publish.value) == {}", effect + contract.field("publish", "value")),
        format!("offsetof(fb_effect, publish.headers) == {}", effect + contract.field("publish", "headers")),
        format!("offsetof(fb_effect, publish.facts) == {}", effect + contract.field("publish", "metadata")),
        format!("sizeof(fb_outcome) == {}", contract.size("outcome")),
        format!("offsetof(fb_outcome, ok) == {outcome}"),
        format!("offsetof(fb_outcome, reject.message) == {}", outcome + contract.field("failure", "message")),
    ] {
        assert!(c.contains(&claim), "{claim}");
    }
}

#[test]
fn both_number_the_cases_as_the_contract_does() {
    let contract = Contract::read();
    assert_eq!(contract.cases("effect"), ["upsert", "insert", "update", "add", "delete", "publish"]);
    assert_eq!(contract.cases("outcome"), ["ok", "skip", "reject"]);
    let values = ["null", "boolean", "integer", "float", "text", "bytes", "timestamp-micros"];
    assert_eq!(contract.cases("value"), values);
    let (go, c) = (text("plugins/go/outcome.go"), text("plugins/c/layout.h"));
    assert!(go.contains("\tUpsert Kind = iota\n\tInsert\n\tUpdate\n\tAdd\n\tDelete\n\tPublish\n"));
    assert!(
        text("plugins/go/layout_wasip1.go").contains("valueText, valueBytes, valueTimestamp             = 4, 5, 6")
    );
    assert!(c.contains("enum { FB_UPSERT, FB_INSERT, FB_UPDATE, FB_ADD, FB_DELETE, FB_PUBLISH };"));
    assert!(c.contains("enum { FB_OK, FB_SKIP, FB_REJECT };"));
}
