//! Tells tokens apart: `tokens FOLDER`, one JSON text a line on standard input; prints the numbers of its tokens.

#![expect(clippy::print_stdout, reason = "a tool for the terminal")]

use std::{error::Error, io::BufRead as _, path::Path};

use frontdesk_encoder::bert::Bert;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("tokens FOLDER")?;
    let encoder = Bert::load(Path::new(&folder))?;
    for line in std::io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        let numbers: Vec<String> = encoder.tokens(&text).iter().map(u32::to_string).collect();
        println!("{}", numbers.join(" "));
    }
    Ok(())
}
