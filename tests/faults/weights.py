"""What a run starts from."""

from __future__ import annotations

from tests.faults.fault import Fault
from tests.faults.making import (
    ON_TEXTVQA,
    also,
    file,
    other_token,
    refcoco,
    whole,
)

WEIGHTS = [
    Fault(
        "weights that are not there",
        whole,
        (*ON_TEXTVQA, "model.weights=paligemma.npz"),
        "no weights at 'paligemma.npz'; give an existing .npz file or folder, or the name of "
        "a model on the hub such as google/paligemma-3b-pt-224",
    ),
    Fault(
        "a size that does not exist",
        whole,
        (*ON_TEXTVQA, "model.size=paligemma_4b"),
        "no model size 'paligemma_4b'; there are paligemma_3b, paligemma2_3b, paligemma2_10b,"
        " paligemma2_28b, tiny",
    ),
    Fault(
        "a pointer of git-lfs in place of weights",
        also(
            whole,
            file("weights/model.safetensors", b"version https://git-lfs.github.com/spec/v1\n"),
        ),
        (*ON_TEXTVQA, "model.weights=weights"),
        "weights/model.safetensors (43 bytes) is no whole safetensors file: an interrupted "
        "download, or the pointer that git leaves without git-lfs; download it again …",
    ),
    Fault(
        "a Gemma that has never seen an image",
        also(whole, file("weights/config.json", b'{"model_type": "gemma"}')),
        (*ON_TEXTVQA, "model.weights=weights"),
        "weights/config.json describes a model of type 'gemma': give a whole PaliGemma such as "
        "google/paligemma-3b-pt-224, or join its two halves: model.weights={vision: <a SigLIP>, "
        "language: <a Gemma>}",
    ),
    Fault(
        "a download that has not come to its end",
        also(
            whole,
            file(
                "weights/model.safetensors.index.json",
                b'{"weight_map": {"a": "model-00001-of-00002.safetensors", '
                b'"b": "model-00002-of-00002.safetensors"}}',
            ),
            file("weights/model-00001-of-00002.safetensors.part", b""),
        ),
        (*ON_TEXTVQA, "model.weights=weights"),
        "weights lacks 2 of 2 shards named by model.safetensors.index.json: "
        "model-00001-of-00002.safetensors, model-00002-of-00002.safetensors; download them; "
        "model-00001-of-00002.safetensors.part says that a download has stopped or is still "
        "running",
    ),
    Fault(
        "weights for another resolution",
        whole,
        (*ON_TEXTVQA, "model.weights=google/paligemma-3b-pt-224"),
        "google/paligemma-3b-pt-224 is made for images of 224 px, and resolution=28: take "
        "resolution=224, as the published transfers do; or model.resample=true, which stretches "
        "its position embeddings",
    ),
    Fault(
        "a run whose weights beneath have moved",
        also(
            whole,
            file(
                "adapter/adapter_config.json",
                b'{"peft_type": "LORA", "r": 4, '
                b'"lora_alpha": 8, "base_model_name_or_path": "/old/place"}',
            ),
        ),
        (*ON_TEXTVQA, "model.weights=adapter"),
        "adapter is what was learnt on top of other weights, and there are no weights at "
        "'/old/place'. If they have moved, say where they are: --weights of predict and export, "
        "weights=... of evaluate.py and pg_transfer.load; for good, in model.weights of a run's "
        "config.yaml or base_model_name_or_path of an adapter_config.json",
    ),
    Fault(
        "weights as a pickle",
        also(whole, file("weights/pytorch_model.bin", b"")),
        (*ON_TEXTVQA, "model.weights=weights"),
        "weights holds weights as .bin files, which are pickles and may run any code when "
        "opened; save them as safetensors with transformers' save_pretrained",
    ),
    Fault(
        "an archive that is cut short",
        also(whole, file("weights.npz", b"PK\x03\x04")),
        (*ON_TEXTVQA, "model.weights=weights.npz"),
        "weights.npz (4 bytes) is no .npz archive, or not all of one; download it again …",
    ),
    Fault(
        "a tokenizer file that is none",
        also(whole, file("tokenizer.json", b'{"version": "1.0"}')),
        (*ON_TEXTVQA, "model.tokenizer=tokenizer.json"),
        "tokenizer.json cannot be read as a tokenizer: …",
    ),
    Fault(
        "a tokenizer with another token in the place of one of PaliGemma's",
        other_token,
        (*ON_TEXTVQA, "model.tokenizer=tokenizer.model"),
        "tokenizer.model is not a PaliGemma tokenizer: it has no <eos> token. Use the "
        'tokenizer.model or tokenizer.json of a google/paligemma checkpoint, or "builtin" for '
        "the tiny model",
    ),
    Fault(
        "a folder without a tokenizer",
        also(whole, file("weights/config.json", b"{}")),
        (*ON_TEXTVQA, "model.tokenizer=weights"),
        "no tokenizer in weights: it has none of tokenizer.model, paligemma_tokenizer.model, "
        "gemma_tokenizer.model, tokenizer.json. Put one there, or name it (train.py: "
        "model.tokenizer=...; others: --tokenizer): a file, a folder, or a model on the hub",
    ),
    Fault(
        "a mask codec that is not there",
        refcoco(),
        ("task=refcoco", "model.mask_codec=vae-oid.npz"),
        "no mask codec at vae-oid.npz. The official one is vae-oid.npz (8,479,556 bytes, "
        "sha256 5586010257b8536dddefab65e7755077f21d5672d5674dacf911f73ae95a4447), published "
        "at gs://big_vision/paligemma/vae-oid.npz and in the Hugging Face Space "
        'big-vision/paligemma-hf. "builtin" is a codec for drawn shapes that PaliGemma was '
        "not trained with.",
    ),
    Fault(
        "a damaged mask codec",
        also(refcoco(), file("vae-oid.npz", b"PK")),
        ("task=refcoco", "model.mask_codec=vae-oid.npz"),
        "mask codec vae-oid.npz is no .npz file, or a damaged one: 2 bytes …. The official "
        "one has 8,479,556.",
    ),
]
