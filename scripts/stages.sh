# Sourced by the scripts: stage names with the time that has passed.
# shellcheck shell=bash
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
started=$SECONDS

stage() {
  local passed=$((SECONDS - started))
  printf '\n== %s  [%d:%02d]\n' "$1" $((passed / 60)) $((passed % 60)) >&2
}

# `usage "$@"`: with --help, prints the script's first comment and ends.
usage() {
  case " $* " in
  *" -h "* | *" --help "*)
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
  esac
}

# Wrong usage, as of any command: exit code 2.
misused() {
  printf '%s: %s; see `%s --help`\n' "$(basename "$0")" "$1" "$0" >&2
  exit 2
}

die() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  exit 1
}
