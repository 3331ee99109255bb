#!/usr/bin/env bash
# MegaFace: which FaceScrub photos are not the person of their folder, and which distractors show one of these people.
#
#   FACESCRUB=facescrub MEGAFACE=FlickrFinal2 DETECTOR=... EMBEDDER=... OUT=out bash flows/examples/megaface.sh
#
# Writes facescrub_noises.txt and megaface_noises.txt as InsightFace published theirs. PUBLISHED (optional): a folder with
# the published pair, to compare with.
set -euo pipefail
: "${FACESCRUB:?folders of actors (the probes)}" "${MEGAFACE:?folders of distractors}"
: "${DETECTOR:?a detector}" "${EMBEDDER:?an embedder}" "${OUT:?a folder for everything that is made}"

refinery refine "$OUT/root" megaface --probes "$FACESCRUB" --gallery "$MEGAFACE" \
  --detector "$DETECTOR" --embedder "$EMBEDDER"
refinery megaface "$OUT/root" --out "$OUT/lists" ${PUBLISHED:+--published "$PUBLISHED"}
echo "the lists are in $OUT/lists"
