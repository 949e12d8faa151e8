//! probe
use forebay_tests::{kafka::Kafka, names::Names, producer::Producer, reader};
#[tokio::test(flavor = "multi_thread")]
async fn zz_fast() {
    let kafka = Kafka::shared().await;
    let n = Names::new("fast");
    kafka.create_topic(&n.topic, 6, &[]).await;
    let p = Producer::new(kafka);
    let t = std::time::Instant::now();
    let v = vec![b'v'; 200];
    for i in 0..300_000 {
        p.send(&n.topic, i % 6, Some(b"key"), Some(&v), &[]);
    }
    let a = p.flush().await;
    eprintln!("produced {} in {:?}", a.len(), t.elapsed());
    let t = std::time::Instant::now();
    let r = reader::read_all(kafka, &n.topic).await;
    eprintln!("read {} in {:?}", r.len(), t.elapsed());
}
#[tokio::test(flavor = "multi_thread")]
async fn zz_panics() {
    let k = Kafka::start().await;
    let _p = forebay_tests::postgres::Postgres::start().await;
    let names = Names::new("m");
    let m = forebay_tests::manifest::Manifest::new(&k)
        .warehouse("postgres://x")
        .binding(forebay_tests::manifest::Binding::new(&names, "p"))
        .target("t", "{ sink = \"warehouse\", table = \"t\" }")
        .set("batch", "{ max-records = 3 }");
    eprintln!("{}", m.to_toml(1234));
    panic!("on purpose");
}
