//! Embeds lines: `embed FOLDER`, one text a line on standard input; prints the numbers, and how long it took.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]

use std::{error::Error, io::BufRead as _, path::Path, time::Instant};

use frontdesk_encoder::{Encoder as _, bert::Bert};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("embed FOLDER")?;
    let began = Instant::now();
    let encoder = Bert::load(Path::new(&folder))?;
    eprintln!("loaded in {} ms, {}", began.elapsed().as_millis(), encoder.model());
    let lines: Vec<String> = std::io::stdin().lock().lines().collect::<Result<_, _>>()?;
    let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
    let began = Instant::now();
    let together = encoder.embed_all(&texts, &|| false)?;
    eprintln!("{} together in {} ms", texts.len(), began.elapsed().as_millis());
    let mut slowest = Vec::new();
    for (text, other) in texts.iter().zip(&together) {
        let began = Instant::now();
        let embedding = encoder.embed(text)?;
        slowest.push(began.elapsed().as_micros());
        if embedding != *other {
            return Err(format!("{text:?} has other bits among others").into());
        }
        let numbers: Vec<String> = embedding.as_slice().iter().map(f32::to_string).collect();
        println!("{}", numbers.join(" "));
    }
    slowest.sort_unstable();
    eprintln!("one by one: median {:?} µs", slowest.get(slowest.len() / 2));
    Ok(())
}
