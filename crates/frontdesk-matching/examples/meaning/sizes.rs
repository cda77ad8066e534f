//! How long learning takes and how large what was learnt is.

use std::{error::Error, time::Instant};

use frontdesk_matching::{
    knowledge::Parts,
    meaning::{
        train::{Embeddings, OwnHead, SharedHead},
        wordings::{OwnWordings, SharedWordings},
    },
};

use crate::{
    data::{Draw, Intents, Vectors, parts},
    trades::company_parts,
};

/// Heads for 15 and for all intents with ten triggers each, then those of the companies of the trades.
pub(crate) fn sizes(train: &Intents, vectors: Option<&Vectors>) -> Result<(), Box<dyn Error>> {
    for classes in [15, train.len()] {
        let mut draw = Draw(7);
        let few: Intents = train
            .iter()
            .take(classes)
            .map(|(intent, questions)| (intent.clone(), draw.shuffled(questions).into_iter().take(10).collect()))
            .collect();
        show(&format!("{classes} × 10"), &parts(&few)?, vectors)?;
    }
    for (company, parts) in company_parts()? {
        show(&company, &parts, vectors)?;
    }
    Ok(())
}

fn show(name: &str, parts: &Parts, vectors: Option<&Vectors>) -> Result<(), Box<dyn Error>> {
    let of = |text: &str| vectors.and_then(|vectors| vectors.of(text));
    let embeddings: Option<Embeddings<'_>> = if vectors.is_some() { Some(&of) } else { None };
    let never = || false;
    let wordings = SharedWordings::of(parts);
    let own_wordings = OwnWordings::of(parts);
    let mut times = [f64::INFINITY; 3];
    let mut sizes = (0, 0);
    for _ in 0..5 {
        let begin = Instant::now();
        let shared = SharedHead::train(&wordings, embeddings, &never)?;
        let trained = begin.elapsed();
        let begin = Instant::now();
        let background = shared.background(&wordings, embeddings)?;
        let laid_out = begin.elapsed();
        let begin = Instant::now();
        let own = OwnHead::train(&own_wordings, &shared, &background, embeddings, &never)?;
        let own_trained = begin.elapsed();
        sizes = (shared.size(), own.size());
        for (best, time) in times.iter_mut().zip([trained, laid_out, own_trained]) {
            *best = best.min(1e3 * time.as_secs_f64());
        }
    }
    let [trained, laid_out, own_trained] = times;
    println!(
        "{name:26} {} units, {} wordings: {trained:.0} ms, {} KB; background {laid_out:.0} ms; own {} units, {} wordings: {own_trained:.1} ms, {:.1} KB",
        wordings.units.len(),
        wordings.texts().count(),
        sizes.0 / 1024,
        own_wordings.units.len(),
        own_wordings.texts().count(),
        f64::from(u32::try_from(sizes.1)?) / 1024.0
    );
    Ok(())
}
