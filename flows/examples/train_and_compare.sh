#!/usr/bin/env bash
# Compare trainings on the data before refining, after it, and on a random subset; then train the final model.
#
#   ROOT=out/root TEST_SET=lfw.bin OUT=out bash flows/examples/train_and_compare.sh
#
# RECIPE (default: sample): see `refinery train --help`. STEPS: number of updates. SEEDS: trainings of each data set.
# DETECTOR: for a test set whose photos are not aligned.
set -euo pipefail
: "${ROOT:?the root of a finished refinement}" "${TEST_SET:?a .bin, a pairs.txt or a folder of people}"
: "${OUT:?a folder for everything that is made}"
recipe=${RECIPE:-sample}

refinery experiment "$ROOT" --test-set "$TEST_SET" --recipe "$recipe" --seeds "${SEEDS:-3}" \
  ${STEPS:+--steps "$STEPS"} ${DETECTOR:+--detector "$DETECTOR"}
[ -d "$OUT/refined" ] || refinery export "$ROOT" --out "$OUT/refined"
refinery train "$OUT/refined" --recipe "$recipe" --out "$OUT/run" ${STEPS:+--steps "$STEPS"}
refinery evaluate "$OUT/run/model.onnx" --test-set "$TEST_SET" ${DETECTOR:+--detector "$DETECTOR"} --cache "$OUT/evaluation"
echo "the model is $OUT/run/model.onnx"
