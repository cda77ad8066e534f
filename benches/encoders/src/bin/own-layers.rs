//! `frontdesk-encoder` on the official files: `own-layers FOLDER`.
use frontdesk_encoder::{Encoder as _, bert::Bert};
use frontdesk_encoder_comparison::measure;

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).ok_or_else(|| anyhow::anyhow!("FOLDER"))?;
    measure("frontdesk-encoder", || {
        // It does not say how many tokens there were; the other runtimes check that.
        let encoder = Bert::load(folder.as_ref())?;
        Ok(move |text: &str| Ok((12, encoder.embed(text)?.as_slice().to_vec())))
    })
}
