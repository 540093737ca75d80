#!/usr/bin/env bash
# All that has to be measured on a GPU of 80 GB; results in benchmarks/results.
#
#     benchmarks/on_gpu.sh                      every part, the most wanted first
#     benchmarks/on_gpu.sh steps answers        those parts, where time on the GPU is short
#     MINUTES=9 benchmarks/on_gpu.sh            begins no other command after so many minutes
#
# On an H200 the parts should take, in minutes: steps 3, answers 4, products 1, compiled 5, alone 1,
# adapters 1, planned 3, static 5. A command prints each number when it has it, and writes its
# tables before the next begins. What fails, or takes more than four minutes for one repetition, is
# told, once more at the end, and does not keep the others from being run.
#
# It needs python3 (or PYTHON=...) with torch for CUDA, numpy, safetensors, transformers and
# accelerate; this package itself need not be installed. Where there is no network, bring the other
# wheels along, all of pure Python:
#
#     pip download --no-deps --only-binary=:all: -d wheels lightning pytorch-lightning \
#         torchmetrics lightning-utilities peft pytest pluggy iniconfig pytest-xdist execnet \
#         pytest-timeout
#     python3 -m pip install --no-deps --no-index wheels/*.whl
#
# peft serves adapters and planned, what follows it products. Of each size one row of planned,
# qlora, needs bitsandbytes, 60 MB and not of pure Python, and is told to have failed without it.
# Hydra and OmegaConf are not needed, as no settings are composed.
set -uo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
gpu="--device cuda --size paligemma_3b"
timed="--apart --limit 240"
mixed="$gpu --precision bf16-mixed $timed"
answering="$gpu --precision bfloat16 $timed"
sides=(--tolerance 2e-2 --sides ours transformers "transformers, suffix logits")
parts=(steps answers products compiled alone adapters planned static)
failed=()

run() {
    if [[ -n ${MINUTES:-} ]] && ((SECONDS >= 60 * MINUTES)); then
        failed+=("not begun after $MINUTES minutes: $*")
        return
    fi
    echo "+ $* (after $SECONDS s)"
    "${PYTHON:-python3}" "$@" || failed+=("$*")
}

# A step of full fine-tuning: images/s, memory, model FLOPs utilisation. Full logits do not fit at
# the micro-batches that ours takes, so that each side is measured at one that fits all.
steps() {
    for one in "448 4" "224 16" "896 1"; do
        set -- $one
        run benchmarks/training_step.py $mixed --rematerialise --resolutions "$1" \
            --batches "$2" --name "training_step-paligemma_3b-$1" "${sides[@]}"
    done
}

# At each resolution that questions are asked at.
answers() {
    for one in "224 64" "448 32" "896 8"; do
        set -- $one
        run benchmarks/generation.py $answering --resolution "$1" --batch "$2" \
            --name "generation-paligemma_3b-$1"
    done
}

# What the tests leave out where there is no GPU.
products() {
    run -m pytest -q tests/model/test_precision.py tests/training/test_batches.py
}

# Ours with no block computed twice, for which the planner finds 55 to 57 GB, and 47 with all twice;
# and with blocks compiled.
compiled() {
    for one in "448 4" "224 16" "896 1"; do
        set -- $one
        run benchmarks/training_step.py $mixed --resolutions "$1" --batches "$2" \
            --name "training_step-paligemma_3b-$1-compiled" \
            --tolerance 2e-2 --sides ours "ours, compiled"
    done
}

# Ours alone, at the micro-batch that fills the card.
alone() {
    for one in "448 16" "224 64" "896 2"; do
        set -- $one
        run benchmarks/training_step.py $mixed --rematerialise --resolutions "$1" \
            --batches "$2" --name "training_step-paligemma_3b-$1-ours" --sides ours
    done
}

adapters() {
    run benchmarks/training_step.py $mixed --tuning lora --resolutions 448 --batches 4 \
        --name training_step-paligemma_3b-448-lora "${sides[@]}"
}

# What is planned, against what torch's allocator held.
planned() {
    for size in paligemma_3b paligemma2_3b; do
        run benchmarks/planned_memory.py --device cuda --sizes "$size" --precision bf16-mixed
    done
}

# What transformers gains from a static cache, for which it compiles, longer than it answers.
static() {
    for one in "224 64" "448 32"; do
        set -- $one
        run benchmarks/generation.py $answering --resolution "$1" --batch "$2" --kinds captions \
            --name "generation-paligemma_3b-$1-static" --sides ours "transformers, static cache"
    done
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
