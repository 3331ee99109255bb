#!/usr/bin/env bash
# Refine your own photos, a folder for each identity; look at the findings; export the refined data set.
#
#   PHOTOS=photos DETECTOR=scrfd.onnx EMBEDDER=arcface.onnx OUT=out bash flows/examples/refine_own_photos.sh
#
# Run it again after adding photos: only the new ones are processed. TEST_SET (optional): people in it are removed.
set -euo pipefail
: "${PHOTOS:?a folder with a folder of photos for each identity}" "${DETECTOR:?an SCRFD or YuNet ONNX file}"
: "${EMBEDDER:?an ArcFace-kind ONNX file or a checkpoint of refinery train}" "${OUT:?a folder for everything that is made}"

refinery refine "$OUT/root" image-folder "$PHOTOS" --detector "$DETECTOR" --embedder "$EMBEDDER" \
  ${TEST_SET:+--test-set "$TEST_SET"}
refinery report "$OUT/root" --out "$OUT/report.html"
refinery labels "$OUT/root" --out "$OUT/labels.tsv"
rm -rf "$OUT/refined"
refinery export "$OUT/root" --out "$OUT/refined" --format recordio
echo "look at $OUT/report.html; train on $OUT/refined"
