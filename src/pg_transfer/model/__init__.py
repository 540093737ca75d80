"""PaliGemma in plain PyTorch: no framework, no task, no tokenizer.

Legend of shapes: `B` batch, `N` image tokens, `T` text tokens, `L = N + T`, `V` vision width,
`D` language width, `H` heads, `K` head width, `W` vocabulary, `S` cache slots or supervised tokens.
"""
