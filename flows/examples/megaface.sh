#!/usr/bin/env bash
# MegaFace: list the FaceScrub photos that do not show their folder's person, and the distractors that show one of them.
#
#   FACESCRUB=facescrub MEGAFACE=FlickrFinal2 DETECTOR=... EMBEDDER=... OUT=out bash flows/examples/megaface.sh
#
# Writes facescrub_noises.txt and megaface_noises.txt in the format of those that InsightFace published. PUBLISHED
# (optional): a folder with the published lists, to compare with.
set -euo pipefail
: "${FACESCRUB:?folders of actors (the probes)}" "${MEGAFACE:?folders of distractors}"
: "${DETECTOR:?a detector}" "${EMBEDDER:?an embedder}" "${OUT:?a folder for everything that is made}"

refinery refine "$OUT/root" megaface --probes "$FACESCRUB" --gallery "$MEGAFACE" \
  --detector "$DETECTOR" --embedder "$EMBEDDER"
refinery megaface "$OUT/root" --out "$OUT/lists" ${PUBLISHED:+--published "$PUBLISHED"}
echo "the lists are in $OUT/lists"
