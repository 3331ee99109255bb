#!/usr/bin/env bash
# Let people decide what the machine is not sure of, and take their answers back.
#
#   ROOT=out/root GROUPS_CSV=groups.csv bash flows/examples/review.sh send       # then annotators answer
#   ROOT=out/root OUT=out bash flows/examples/review.sh collect                  # as often as you like
#
# URL (optional): a Label Studio that is there already, with its token in LABEL_STUDIO_API_KEY. Without it, start one on
# this machine first: refinery review serve ROOT
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
