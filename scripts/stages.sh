# Sourced by the scripts: stage names with the time that has passed.
# shellcheck shell=bash
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
started=$SECONDS

stage() {
  local passed=$((SECONDS - started))
  printf '\n== %s  [%d:%02d]\n' "$1" $((passed / 60)) $((passed % 60)) >&2
}

die() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  exit 1
}
