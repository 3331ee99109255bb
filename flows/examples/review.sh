#!/usr/bin/env bash
# Send uncertain cases to annotators, and collect their answers.
#
#   ROOT=out/root GROUPS_CSV=groups.csv bash flows/examples/review.sh send       # then annotators answer
#   ROOT=out/root OUT=out bash flows/examples/review.sh collect                  # any number of times
#
# URL (optional): a Label Studio that runs already, with its token in LABEL_STUDIO_API_KEY. Without it, first start one on
# this machine: refinery review serve ROOT
set -euo pipefail
: "${ROOT:?the root of a finished refinement}"

case "${1:-}" in
  send)
    refinery review send "$ROOT" ${URL:+--url "$URL"} ${GROUPS_CSV:+--groups "$GROUPS_CSV"} --budget "${BUDGET:-500}"
    ;;
  collect)
    : "${OUT:?a folder for the data set}"
    refinery review collect "$ROOT" ${URL:+--url "$URL"}
    refinery review status "$ROOT" ${URL:+--url "$URL"}
    rm -rf "$OUT/reviewed"
    refinery export "$ROOT" --out "$OUT/reviewed"
    ;;
  *)
    echo "give send or collect" >&2
    exit 2
    ;;
esac
