//! How often the best candidate is right when one of them is.

use std::{error::Error, time::Instant};

use frontdesk_matching::{knowledge::Source, meaning::confidence::Coefficients};

use crate::data::{Draw, Intents, Tenant, Vectors, parts};

const TRIGGERS: usize = 10;

/// Ten triggers an intent drawn with seeds 0 to 4, asked the test questions, or without those what was not drawn.
pub(crate) fn few(train: &Intents, test: Option<&Intents>, vectors: Option<&Vectors>) -> Result<(), Box<dyn Error>> {
    let mut shares = Vec::new();
    for seed in 0..5 {
        let mut draw = Draw(seed);
        let (mut triggers, mut left) = (Intents::new(), Intents::new());
        for (intent, questions) in train {
            let drawn = draw.shuffled(questions);
            let (mine, rest) = drawn.split_at_checked(TRIGGERS).unwrap_or((&drawn, &[]));
            triggers.insert(intent.clone(), mine.to_vec());
            left.insert(intent.clone(), rest.iter().take(40).cloned().collect());
        }
        let share = measure(&triggers, test.unwrap_or(&left), vectors)?;
        println!("seed {seed}: {share:.2} %");
        shares.push(share);
    }
    println!("mean {:.2} %", shares.iter().sum::<f64>() / 5.0);
    Ok(())
}

/// All training questions as triggers.
pub(crate) fn full(train: &Intents, test: &Intents, vectors: Option<&Vectors>) -> Result<(), Box<dyn Error>> {
    println!("{:.2} %", measure(train, test, vectors)?);
    Ok(())
}

fn measure(triggers: &Intents, asked: &Intents, vectors: Option<&Vectors>) -> Result<f64, Box<dyn Error>> {
    let begin = Instant::now();
    let tenant = Tenant::new(&parts(triggers)?, vectors)?;
    println!(
        "  learnt in {:.2} s, {} KB",
        begin.elapsed().as_secs_f64(),
        tenant.meaning.size() / 1024
    );
    let (mut right, mut all) = (0_u32, 0_u32);
    let begin = Instant::now();
    for (intent, question) in asked
        .iter()
        .flat_map(|(intent, all)| all.iter().map(move |one| (intent, one)))
    {
        let meanings = tenant.ask(question, vectors, Coefficients::embedded())?;
        let best = meanings
            .of(Source::Template)
            .iter()
            .max_by(|left, right| left.features[1].total_cmp(&right.features[1]));
        let id = best.map(|best| tenant.id(best));
        all += 1;
        right += u32::from(id.as_ref() == Some(intent));
    }
    println!(
        "  {:.0} µs a question",
        1e6 * begin.elapsed().as_secs_f64() / f64::from(all)
    );
    Ok(100.0 * f64::from(right) / f64::from(all))
}
