# Sourced by the checks that need one release of clang's tools: each release formats and warns differently.
# shellcheck shell=bash
clang_release=14

# The program's name. Where there is only another release: a line "SKIPPED: ..." on stderr, and 1.
clang_tool() {
  local found
  for found in "$1-$clang_release" "$1"; do
    if "$found" --version 2>/dev/null | grep -q "version ${clang_release}[.]"; then
      echo "$found"
      return
    fi
  done
  echo "SKIPPED: $1 $clang_release is not installed, and other releases judge the same text differently" >&2
  return 1
}
