#!/usr/bin/env bash
# Your own photos, a folder for each identity: find what is wrong, look at it, export what stays.
#
#   PHOTOS=photos DETECTOR=scrfd.onnx EMBEDDER=arcface.onnx OUT=out bash flows/examples/refine_own_photos.sh
#
# Run it again after adding photos: only what is new is looked at. TEST_SET (optional): people in it are removed.
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
