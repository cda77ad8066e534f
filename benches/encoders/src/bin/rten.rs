//! rten on what `make_onnx.py` made: `RTEN_NUM_THREADS=1 rten FOLDER FILE.onnx`.
use frontdesk_encoder_comparison::{measure, token_ids, tokenizer};
use rten::{Model, ModelOptions, ValueOrView};
use rten_tensor::{NdTensor, prelude::*};

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).ok_or_else(|| anyhow::anyhow!("FOLDER"))?;
    let onnx = std::env::args().nth(2).ok_or_else(|| anyhow::anyhow!("FILE.onnx"))?;
    measure("rten", || {
        let tokenizer = tokenizer(&folder)?;
        let model = ModelOptions::with_all_ops().prepack_weights(true).load_file(&onnx)?;
        let _: &Model = &model;
        Ok(move |text: &str| {
            let ids = token_ids(&tokenizer, text)?;
            let input = NdTensor::from_fn([1, ids.len()], |[_, at]| ids[at] as i32);
            let input: ValueOrView = input.view().into();
            let [output] = model.run_n(
                vec![(model.node_id("ids")?, input)],
                [model.node_id("embedding")?],
                None,
            )?;
            let output: NdTensor<f32, 2> = output.try_into()?;
            Ok((ids.len(), output.to_vec()))
        })
    })
}
