//! tract on what `make_onnx.py` made: `tract FOLDER FILE.onnx`.
use frontdesk_encoder_comparison::{measure, token_ids, tokenizer};
use tract_onnx::prelude::*;

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).ok_or_else(|| anyhow::anyhow!("FOLDER"))?;
    let onnx = std::env::args().nth(2).ok_or_else(|| anyhow::anyhow!("FILE.onnx"))?;
    measure("tract", || {
        let tokenizer = tokenizer(&folder)?;
        let mut model = tract_onnx::onnx().model_for_path(&onnx)?;
        let tokens = model.symbols.sym("tokens");
        model.set_input_fact(0, i64::fact([1.to_dim(), tokens.to_dim()]).into())?;
        let plan = model.into_optimized()?.into_runnable()?;
        Ok(move |text: &str| {
            let ids = token_ids(&tokenizer, text)?;
            let input = tract_ndarray::Array2::from_shape_fn((1, ids.len()), |(_, at)| i64::from(ids[at]));
            let output = plan.run(tvec!(input.into_tensor().into()))?;
            let embedding = output[0].to_plain_array_view::<f32>()?.iter().copied().collect();
            Ok((ids.len(), embedding))
        })
    })
}
