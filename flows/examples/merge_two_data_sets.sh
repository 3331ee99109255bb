#!/usr/bin/env bash
# Merge two data sets into one, with one label for each person and without duplicates.
#
#   FIRST="record-io faces_emore" SECOND="image-folder photos" DETECTOR=... EMBEDDER=... OUT=out \
#       bash flows/examples/merge_two_data_sets.sh
#
# Two identities of the same name in both sets are two identities at first; they are merged where the faces show one
# person. Merges and duplicates across the sets are in the report.
set -euo pipefail
: "${FIRST:?kind and path of the first data set, as in FIRST=\"record-io faces_emore\"}" "${SECOND:?kind and path of the second}"
: "${DETECTOR:?a detector}" "${EMBEDDER:?an embedder}" "${OUT:?a folder for everything that is made}"

refinery refine "$OUT/root" "${FIRST%% *}" "first=${FIRST#* }" "${SECOND%% *}" "second=${SECOND#* }" \
  --detector "$DETECTOR" --embedder "$EMBEDDER"
refinery report "$OUT/root" --out "$OUT/report.html"
rm -rf "$OUT/merged"
refinery export "$OUT/root" --out "$OUT/merged"
echo "the merged data set is in $OUT/merged, its data card in $OUT/merged/README.md"
