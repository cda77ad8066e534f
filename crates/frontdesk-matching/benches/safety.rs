//! What the safety rules and the redaction cost a turn.

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use frontdesk_domain::redaction::{Tail, redact};
use frontdesk_matching::{
    normal::normalize,
    safety::{EMBEDDED, SafetyMatcher, embedded_rules},
};

fn safety(c: &mut Criterion) {
    let ramble = "so i was talking to my mother about the heater the other day and she said the water in the kitchen takes \
        a while to get hot and i think the furnace is fine but the house is old and we had a plumber come out in the spring "
        .repeat(5);
    let long = "please come and look at the kitchen sink today because it drips ".repeat(900);
    let worst = "my mother has no gas smell or water near the heater panel but not the outlet ".repeat(600);
    for (name, text) in [
        ("harmless, 10 words", "can you come by on tuesday to look at it"),
        (
            "harmless, 10 words of the trade",
            "my furnace is making a noise and the heat is low",
        ),
        ("harmless, denied", "there's no smoke and i don't smell any gas at all"),
        ("near miss", "what would you charge to run a gas line to the grill"),
        ("dangerous", "i smell gas in the laundry room and it is getting worse"),
        (
            "dangerous, vulnerable",
            "my mother is eighty eight and the furnace quit last night",
        ),
        ("ramble, 200 words", &ramble),
        ("harmless, 10,000 words", &long),
        ("danger words without danger, 9,600 words", &worst),
    ] {
        let text = normalize(text);
        let matcher = &*EMBEDDED;
        c.bench_function(&format!("safety/{name}"), |b| b.iter(|| matcher.find(black_box(&text))));
    }
    if let Ok(rules) = embedded_rules() {
        c.bench_function("safety/compile", |b| {
            b.iter_batched(
                || rules.clone(),
                |rules| SafetyMatcher::compile(&rules).is_ok(),
                BatchSize::LargeInput,
            );
        });
    }
}

fn redaction(c: &mut Criterion) {
    let tail = Tail::default();
    for (name, text) in [
        (
            "no number",
            "can you come by on tuesday to look at the furnace, it makes a noise",
        ),
        (
            "phone and address",
            "I'm at 4411 Oak Street and my phone is 937-555-0123",
        ),
        ("spoken phone", "it's nine three seven five five five oh one two three"),
        ("card", "my card is 4111 1111 1111 1111 thanks"),
        (
            "spoken card",
            "it's forty five thirty nine fourteen eighty eight oh three forty three sixty four sixty seven",
        ),
    ] {
        c.bench_function(&format!("redaction/{name}"), |b| {
            b.iter(|| redact(black_box(text), &tail));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300)).sample_size(30);
    targets = safety, redaction
}
criterion_main!(benches);
