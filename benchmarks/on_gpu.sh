#!/usr/bin/env bash
# All that has to be measured on a GPU of 80 GB; results in benchmarks/results.
#
#     benchmarks/on_gpu.sh                    every part, one after the other
#     benchmarks/on_gpu.sh steps answers      those parts, where time on the GPU is short
#
# A command that fails is told at the end, and does not keep the others from being run.
set -uo pipefail
cd "$(dirname "$0")/.."
gpu="--device cuda --size paligemma_3b"
mixed="$gpu --precision bf16-mixed --apart"
sides=(--tolerance 2e-2 --sides ours transformers "transformers, suffix logits")
parts=(steps alone once compiled adapters answers planned products)
failed=()

run() {
    echo "+ $*"
    "$@" || failed+=("$*")
}

# A step of full fine-tuning: images/s, memory, model FLOPs utilisation. Full logits do not fit at
# the micro-batches that ours takes, so that each side is measured at one that fits all.
steps() {
    for one in "448 4" "224 16" "896 1"; do
        set -- $one
        run python benchmarks/training_step.py $mixed --rematerialise --resolutions "$1" \
            --batches "$2" --name "training_step-paligemma_3b-$1" "${sides[@]}"
    done
}

# Ours alone, at the micro-batch that fills the card.
alone() {
    for one in "448 16" "224 64" "896 2"; do
        set -- $one
        run python benchmarks/training_step.py $mixed --rematerialise --resolutions "$1" \
            --batches "$2" --name "training_step-paligemma_3b-$1-ours" --sides ours
    done
}

# Ours with no block computed twice: the planner finds 55 to 57 GB, and 47 with all twice.
once() {
    for one in "448 4" "224 16" "896 1"; do
        set -- $one
        run python benchmarks/training_step.py $mixed --resolutions "$1" --batches "$2" \
            --name "training_step-paligemma_3b-$1-once" --sides ours
    done
}

# By itself, as a compiler that fails must not take the other numbers along.
compiled() {
    for one in "448 4" "224 16" "896 1"; do
        set -- $one
        run python benchmarks/training_step.py $mixed --resolutions "$1" --batches "$2" \
            --name "training_step-paligemma_3b-$1-compiled" \
            --tolerance 2e-2 --sides ours "ours, compiled"
    done
}

adapters() {
    run python benchmarks/training_step.py $mixed --tuning lora --resolutions 448 --batches 4 \
        --name training_step-paligemma_3b-448-lora "${sides[@]}"
}

# At each resolution that questions are asked at.
answers() {
    for one in "224 64" "448 32" "896 8"; do
        set -- $one
        for cache in dynamic static; do
            run python benchmarks/generation.py $gpu --precision bfloat16 --resolution "$1" \
                --batch "$2" --apart --their-cache "$cache" \
                --name "generation-paligemma_3b-$1-$cache"
        done
    done
}

# What is planned, against what torch's allocator held.
planned() {
    run python benchmarks/planned_memory.py --device cuda --sizes paligemma_3b paligemma2_3b \
        --precision bf16-mixed
}

# What the tests leave out where there is no GPU.
products() {
    run python -m pytest -q tests/model/test_precision.py tests/training/test_batches.py
}

for part in "${@:-${parts[@]}}"; do
    if [[ " ${parts[*]} " != *" $part "* ]]; then
        echo "error: $part is none of the parts ${parts[*]}" >&2
        exit 2
    fi
done
for part in "${@:-${parts[@]}}"; do
    "$part"
done
if ((${#failed[@]})); then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
