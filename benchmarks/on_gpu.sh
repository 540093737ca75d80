#!/usr/bin/env bash
# All that has to be measured on a GPU of 80 GB, one after the other; results in benchmarks/results.
set -euo pipefail
cd "$(dirname "$0")/.."
gpu="--device cuda --size paligemma_3b"

# A step of full fine-tuning: images/s, memory, model FLOPs utilisation. Full logits do not fit at
# the micro-batches that ours takes, so that each side is measured at one that fits all.
for one in "224 16" "448 4" "896 1"; do
    set -- $one
    python benchmarks/training_step.py $gpu --precision bf16-mixed --rematerialise --apart \
        --resolutions "$1" --batches "$2" --tolerance 2e-2 --name "training_step-paligemma_3b-$1" \
        --sides ours transformers "transformers, suffix logits"
done
# Ours alone, at the micro-batch that fills the card.
for one in "224 64" "448 16" "896 2"; do
    set -- $one
    python benchmarks/training_step.py $gpu --precision bf16-mixed --rematerialise --apart \
        --resolutions "$1" --batches "$2" --name "training_step-paligemma_3b-$1-ours" --sides ours
done
# Ours with no block computed twice: the planner finds 55 to 57 GB, and 47 with all twice.
for one in "224 16" "448 4" "896 1"; do
    set -- $one
    python benchmarks/training_step.py $gpu --precision bf16-mixed --apart \
        --resolutions "$1" --batches "$2" --name "training_step-paligemma_3b-$1-once" --sides ours
done
# Adapters.
python benchmarks/training_step.py $gpu --precision bf16-mixed --tuning lora --apart \
    --resolutions 448 --batches 4 --tolerance 2e-2 --name "training_step-paligemma_3b-448-lora" \
    --sides ours transformers "transformers, suffix logits"
# Answers, at each resolution that questions are asked at.
for one in "224 64" "448 32" "896 8"; do
    set -- $one
    for cache in dynamic static; do
        python benchmarks/generation.py $gpu --precision bfloat16 --resolution "$1" --batch "$2" \
            --apart --their-cache "$cache" --name "generation-paligemma_3b-$1-$cache"
    done
done
# What is planned, against what torch's allocator held.
python benchmarks/planned_memory.py --device cuda --sizes paligemma_3b paligemma2_3b \
    --precision bf16-mixed
