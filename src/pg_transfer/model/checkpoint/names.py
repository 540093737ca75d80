"""How others call our parameters, and how they lay them out: one table per format.

big_vision: the keys that models/vit.py and models/ppp/gemma.py save. Hugging Face: the four
layouts that transformers 4.41 to 5.x and the hub use, which differ in prefixes alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pg_transfer.model.config import PaliGemmaConfig

VISION = "model.vision_tower."
PROJECTOR = "model.multi_modal_projector.linear."
LANGUAGE = "model.language_model."
POSITIONS = VISION + "embeddings.position_embedding.weight"
EMBEDDING = LANGUAGE + "embed_tokens.weight"
HEAD = "lm_head.weight"

STACKED = "img/Transformer/encoderblock/"
"""Vision blocks stacked over layers; unstacked ones are saved as `encoderblock_<layer>/`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One array of a big_vision checkpoint and the parameters it fills.

    The letters are `L` layers, `V` vision width, `D` language width, `N` query heads, `K` key
    heads, `H` head width, `F` MLP width, `I` image tokens, `W` vocabulary; `Y`, `X` and `C` are a
    patch's height, width and channels; `2` is a pair and `1` an axis of one.

    Attributes:
        key: below `params/`.
        stored: the array's axes, outermost first.
        parameter: the axes of one parameter, outermost first; neighbours may share a torch axis.
        names: the parameter filled, or the two along axis `2`; `{}` stands for the layer.
        also: other orders of `stored` that are accepted where the shape tells them apart.
    """

    key: str
    stored: str
    parameter: str
    names: tuple[str, ...]
    also: tuple[str, ...] = ()


def _vision_rows() -> list[Row]:
    block = VISION + "encoder.layers.{}."
    attention = "MultiHeadDotProductAttention_0"
    rows = [
        Row("img/embedding/kernel", "YXCV", "VCYX",
            (VISION + "embeddings.patch_embedding.weight",)),
        Row("img/embedding/bias", "V", "V", (VISION + "embeddings.patch_embedding.bias",)),
        Row("img/pos_embedding", "1IV", "1IV", (POSITIONS,)),
        Row("img/Transformer/encoder_norm/scale", "V", "V", (VISION + "post_layernorm.weight",)),
        Row("img/Transformer/encoder_norm/bias", "V", "V", (VISION + "post_layernorm.bias",)),
        Row("img/head/kernel", "VD", "DV", (PROJECTOR + "weight",)),
        Row("img/head/bias", "D", "D", (PROJECTOR + "bias",)),
    ]  # fmt: skip
    for key, stored, parameter, name in (
        ("LayerNorm_0/scale", "LV", "V", "layer_norm1.weight"),
        ("LayerNorm_0/bias", "LV", "V", "layer_norm1.bias"),
        ("LayerNorm_1/scale", "LV", "V", "layer_norm2.weight"),
        ("LayerNorm_1/bias", "LV", "V", "layer_norm2.bias"),
        (f"{attention}/query/kernel", "LVNH", "NHV", "self_attn.q_proj.weight"),
        (f"{attention}/query/bias", "LNH", "NH", "self_attn.q_proj.bias"),
        (f"{attention}/key/kernel", "LVNH", "NHV", "self_attn.k_proj.weight"),
        (f"{attention}/key/bias", "LNH", "NH", "self_attn.k_proj.bias"),
        (f"{attention}/value/kernel", "LVNH", "NHV", "self_attn.v_proj.weight"),
        (f"{attention}/value/bias", "LNH", "NH", "self_attn.v_proj.bias"),
        (f"{attention}/out/kernel", "LNHV", "VNH", "self_attn.out_proj.weight"),
        (f"{attention}/out/bias", "LV", "V", "self_attn.out_proj.bias"),
        ("MlpBlock_0/Dense_0/kernel", "LVF", "FV", "mlp.fc1.weight"),
        ("MlpBlock_0/Dense_0/bias", "LF", "F", "mlp.fc1.bias"),
        ("MlpBlock_0/Dense_1/kernel", "LFV", "VF", "mlp.fc2.weight"),
        ("MlpBlock_0/Dense_1/bias", "LV", "V", "mlp.fc2.bias"),
    ):
        rows.append(Row(STACKED + key, stored, parameter, (block + name,)))
    return rows


def _language_rows(post_norms: bool) -> list[Row]:
    block = LANGUAGE + "layers.{}."
    rows = [
        Row("llm/embedder/input_embedding", "WD", "WD", (EMBEDDING,)),
        Row("llm/final_norm/scale", "D", "D", (LANGUAGE + "norm.weight",)),
        Row("llm/layers/attn/q_einsum/w", "LNDH", "NHD", (block + "self_attn.q_proj.weight",)),
        Row("llm/layers/attn/kv_einsum/w", "L2KDH", "KHD",
            (block + "self_attn.k_proj.weight", block + "self_attn.v_proj.weight")),
        Row("llm/layers/attn/attn_vec_einsum/w", "LNHD", "DNH",
            (block + "self_attn.o_proj.weight",)),
        Row("llm/layers/mlp/gating_einsum", "L2DF", "FD",
            (block + "mlp.gate_proj.weight", block + "mlp.up_proj.weight"), also=("L2FD",)),
        Row("llm/layers/mlp/linear", "LFD", "DF", (block + "mlp.down_proj.weight",)),
    ]  # fmt: skip
    # Gemma 1 has two norms per block, and transformers names its second one after its place
    # ("post attention"), which is the name of another norm, with another place, in Gemma 2.
    norms = {
        "pre_attention_norm": "input_layernorm",
        "pre_ffw_norm": "post_attention_layernorm",
    }
    if post_norms:
        norms |= {
            "post_attention_norm": "post_attention_layernorm",
            "pre_ffw_norm": "pre_feedforward_layernorm",
            "post_ffw_norm": "post_feedforward_layernorm",
        }
    for key, name in norms.items():
        rows.append(Row(f"llm/layers/{key}/scale", "LD", "D", (f"{block}{name}.weight",)))
    return rows


def big_vision_rows(config: PaliGemmaConfig, *, stacked_vision: bool = True) -> list[Row]:
    """Every array of a checkpoint of that size; together they fill every parameter once.

    Args:
        config: the numbers of the model.
        stacked_vision: whether the vision blocks are one array over layers, as in all releases.
    """
    rows = []
    for row in _vision_rows():
        if stacked_vision or not row.key.startswith(STACKED):
            rows.append(row)
            continue
        for layer in range(config.vision.depth):
            key = row.key.replace(STACKED, f"{STACKED[:-1]}_{layer}/")
            names = tuple(name.format(layer) for name in row.names)
            rows.append(replace(row, key=key, stored=row.stored[1:], names=names))
    return rows + _language_rows(config.language.post_norms)


def axis_lengths(config: PaliGemmaConfig, key: str) -> dict[str, int]:
    """How long each axis of the array `key` is, by its letter."""
    vision, language = config.vision, config.language
    shared = {"1": 1, "2": 2, "V": vision.width, "D": language.width}
    if key.startswith("img/"):
        return shared | {
            "Y": vision.patch, "X": vision.patch, "C": 3, "I": vision.image_tokens,
            "L": vision.depth, "N": vision.heads, "H": vision.width // vision.heads,
            "F": vision.mlp,
        }  # fmt: skip
    return shared | {
        "L": language.depth, "N": language.heads, "K": language.kv_heads,
        "H": language.head_width, "F": language.mlp, "W": language.vocabulary,
    }  # fmt: skip


Prefixes = tuple[tuple[re.Pattern[str], str], ...]

HUGGING_FACE_PREFIXES: Prefixes = (
    (re.compile(r"^(model\.)?vision_tower\.(vision_model\.)?"), VISION),
    (re.compile(r"^(model\.)?multi_modal_projector\.linear\."), PROJECTOR),
    (re.compile(r"^(language_model\.)?lm_head\.weight$"), HEAD),
    (re.compile(r"^(language_model\.model|model\.language_model(\.model)?)\."), LANGUAGE),
)


def from_hugging_face(key: str, prefixes: Prefixes = HUGGING_FACE_PREFIXES) -> str:
    """Our name of the tensor `key` in any of transformers' layouts; an unknown key as it is."""
    for theirs, ours in prefixes:
        name, found = theirs.subn(ours, key)
        if found:
            return name
    return key


HUB_PREFIXES = {
    VISION: "vision_tower.vision_model.",
    PROJECTOR: "multi_modal_projector.linear.",
    LANGUAGE: "language_model.model.",
}
"""Of the layout on the hub, the only one that every reader of such folders knows."""


def to_hugging_face(name: str) -> str:
    """The hub's name of our parameter `name`."""
    ours = next(prefix for prefix in HUB_PREFIXES if name.startswith(prefix))
    return HUB_PREFIXES[ours] + name.removeprefix(ours)


def padded_rows(vocabulary: int) -> int:
    """Rows of the table in Hugging Face's folders: `<image>` and one more, then a multiple of 64.

    257,152 tokens have 257,216 rows; those beyond the tokens belong to nothing that a text holds.
    """
    return -(-(vocabulary + 2) // 64) * 64
