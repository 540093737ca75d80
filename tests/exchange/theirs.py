"""What transformers and PEFT make of files: a program for any environment that has both.

It reads one job after the other, a JSON object a line, and answers each by a line. Nothing of ours
is imported, so that it runs where the project cannot.
"""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import peft
import torch
import transformers
from transformers import AutoTokenizer, PaliGemmaForConditionalGeneration, PaliGemmaProcessor

SLOW = int(transformers.__version__.split(".")[0]) < 5
Job = dict[str, Any]


def main() -> None:
    out, sys.stdout = sys.stdout, sys.stderr
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for line in sys.stdin:
        job = json.loads(line)
        try:
            answer = WORK[job["work"]](job)
        except Exception:
            answer = {"error": traceback.format_exc()}
        out.write(json.dumps(answer) + "\n")
        out.flush()


def versions(_: Job) -> Job:
    return {"transformers": transformers.__version__, "peft": peft.__version__}


def loaded(job: Job) -> tuple[Any, Job]:
    """The model of a folder, with an adapter where one is named, and what was said about it."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model, info = PaliGemmaForConditionalGeneration.from_pretrained(
            job["folder"], output_loading_info=True, attn_implementation="eager"
        )
        if job.get("adapter"):
            model = peft.PeftModel.from_pretrained(model, job["adapter"])
    wrong = {key: sorted(map(str, value)) for key, value in info.items() if value}
    about_keys = [str(one.message) for one in said if "keys" in str(one.message)]
    return model.eval(), {"wrong": wrong, "warnings": about_keys}


@torch.no_grad()
def logits(job: Job) -> Job:
    """Logits of the text of `inputs` into `outputs`."""
    model, facts = loaded(job)
    given = np.load(job["inputs"])
    images, tokens = torch.from_numpy(given["images"]), torch.from_numpy(given["tokens"])
    prefixes, lengths = (torch.from_numpy(given[n])[:, None] for n in ("prefixes", "lengths"))
    place = torch.arange(tokens.shape[1])
    vision = model.config.vision_config
    count = (vision.image_size // vision.patch_size) ** 2
    is_real = torch.nn.functional.pad(place < lengths, (count, 0), value=True)
    is_suffix = torch.nn.functional.pad(place >= prefixes, (count, 0)) & is_real
    placeholders = torch.full((len(tokens), count), model.config.image_token_id)
    ids = torch.cat([placeholders, tokens], dim=1)
    found = model(
        input_ids=ids, pixel_values=images, attention_mask=is_real.long(),
        token_type_ids=is_suffix.long(), use_cache=False,
        labels=ids,  # without any, 4.57 lets the suffix see what comes after it
    ).logits  # fmt: skip
    np.savez(job["outputs"], logits=found[:, count:].float().numpy())
    names = [name for name, _ in model.named_parameters() if "lora_" in name]
    return {**facts, "dtype": str(model.dtype), "rows": found.shape[2], "adapters": len(names)}


def processor(folder: str) -> Any:
    if SLOW:
        return PaliGemmaProcessor.from_pretrained(folder, use_fast=False)
    # The default one of 5.x needs torchvision.
    images = transformers.SiglipImageProcessorPil.from_pretrained(folder)
    return PaliGemmaProcessor(images, AutoTokenizer.from_pretrained(folder))


@torch.no_grad()
def answer(job: Job) -> Job:
    """Their own way from an image and a prompt to an answer; and their batch for training."""
    from PIL import Image

    model, facts = loaded(job)
    own = processor(job["folder"])
    image = Image.open(job["image"])
    batch = own(text="<image>" + job["prompt"], images=image, return_tensors="pt")
    given = model.generate(
        **batch.to(model.dtype), max_new_tokens=job["tokens"], do_sample=False
    )[0, batch["input_ids"].shape[1] :]  # fmt: skip
    lesson = own(
        text="<image>" + job["prompt"], suffix=job["suffix"], images=image, return_tensors="pt"
    )
    np.savez(job["outputs"], pixels=batch["pixel_values"].float().numpy())
    return {
        **facts, "answer": own.tokenizer.decode(given, skip_special_tokens=True),
        "prompt": batch["input_ids"][0].tolist(), "lesson": lesson["input_ids"][0].tolist(),
        "image": model.config.image_token_id,
    }  # fmt: skip


def tokens(job: Job) -> Job:
    own = AutoTokenizer.from_pretrained(job["folder"])
    return {
        "ids": [own(text, add_special_tokens=False)["input_ids"] for text in job["texts"]],
        "texts": [own.decode(own(text, add_special_tokens=False)["input_ids"])
                  for text in job["texts"]],
        "padding": own.pad_token_id, "bos": own.bos_token_id, "eos": own.eos_token_id,
        "image": own.convert_tokens_to_ids("<image>"),
    }  # fmt: skip


def make(job: Job) -> Job:
    """A folder with a PaliGemma, or another model, of random weights."""
    torch.manual_seed(job.get("seed", 0))
    config = getattr(transformers, job["config"])(**job["numbers"])
    model = getattr(transformers, job["model"])(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.1)
    model.to(getattr(torch, job.get("dtype", "float32"))).save_pretrained(job["to"])
    return {"files": sorted(path.name for path in Path(job["to"]).iterdir())}


def adapt(job: Job) -> Job:
    """Adapters of PEFT's own, with random values, beside the model of a folder."""
    model, _ = loaded(job)
    torch.manual_seed(1)
    wrapped = peft.get_peft_model(model, peft.LoraConfig(**job["settings"]))
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.1)
    wrapped.save_pretrained(job["to"])
    return {}


def from_adapter_alone(job: Job) -> Job:
    """The folder of adapters given to transformers, which looks the base up itself."""
    model = transformers.AutoModelForImageTextToText.from_pretrained(job["adapter"])
    names = [name for name, _ in model.named_parameters() if "lora_" in name]
    return {"class": type(model).__name__, "adapters": len(names),
            "seeing": sum("vision_tower" in name for name in names)}  # fmt: skip


WORK = {
    "versions": versions, "logits": logits, "answer": answer, "tokens": tokens, "make": make,
    "adapt": adapt, "from_adapter_alone": from_adapter_alone,
}  # fmt: skip

if __name__ == "__main__":
    main()
