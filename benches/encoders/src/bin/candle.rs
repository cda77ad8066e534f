//! candle-transformers on the official files: `RAYON_NUM_THREADS=1 candle FOLDER`.
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use frontdesk_encoder_comparison::{measure, token_ids, tokenizer};

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).ok_or_else(|| anyhow::anyhow!("FOLDER"))?;
    measure("candle", || {
        let tokenizer = tokenizer(&folder)?;
        let config: Config = serde_json::from_str(&std::fs::read_to_string(format!("{folder}/config.json"))?)?;
        let weights = VarBuilder::from_buffered_safetensors(
            std::fs::read(format!("{folder}/model.safetensors"))?,
            DType::F32,
            &Device::Cpu,
        )?;
        let model = BertModel::load(weights, &config)?;
        Ok(move |text: &str| {
            let ids = token_ids(&tokenizer, text)?;
            let ids = Tensor::new(&ids[..], &Device::Cpu)?.unsqueeze(0)?;
            let mean = model.forward(&ids, &ids.zeros_like()?, None)?.mean(1)?;
            let unit = mean.broadcast_div(&mean.sqr()?.sum_keepdim(1)?.sqrt()?)?;
            Ok((ids.elem_count(), unit.squeeze(0)?.to_vec1()?))
        })
    })
}
