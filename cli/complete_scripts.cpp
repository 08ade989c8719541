#include "cli/complete.hpp"

namespace banger::cli {

namespace {

// `banger __complete` answers one line that says whether files fit ("files" or "names"), then one
// candidate a line, "NAME<tab>ABOUT".

constexpr std::string_view bash =
    R"(# bash completion for banger: `source <(banger completion bash)`
_banger() {
  local words=() i word answer kind='' name about cur
  # Bash takes `--flag=value` apart at the `=`.
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if ((i > 1)) && [[ $word == '=' || ${COMP_WORDS[i - 1]} == '=' ]]; then
      words[${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
  done
  cur=${words[${#words[@]} - 1]}
  COMPREPLY=()
  answer=$("${COMP_WORDS[0]/#\~\//$HOME/}" __complete "${words[@]}" 2>/dev/null) || return 0
  while IFS=$'\t' read -r name about; do
    if [[ -z $kind ]]; then
      kind=$name
    elif [[ $cur == --*=* ]]; then
      COMPREPLY+=("${name#*=}")
    else
      COMPREPLY+=("$name")
    fi
  done <<<"$answer"
  if [[ $kind == files ]]; then
    compopt -o default 2>/dev/null
  fi
  return 0
}
complete -F _banger banger
)";

constexpr std::string_view zsh = R"(#compdef banger
# zsh completion for banger: save it as _banger in a folder of $fpath
_banger() {
  local answer kind line
  local -a lines described
  answer=$(${(Q)~words[1]} __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null) || return 1
  lines=("${(@f)answer}")
  kind=$lines[1]
  for line in $lines[2,-1]; do
    described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
  done
  if [[ $kind == files ]]; then
    _files
  fi
  _describe banger described
}
if [[ $funcstack[1] == _banger ]]; then
  _banger "$@"
else
  compdef _banger banger
fi
)";

constexpr std::string_view fish = R"(# fish completion for banger: `banger completion fish | source`
function __banger_complete
    set -l words (commandline -opc)
    set -l cur (commandline -ct)
    set -l answer ($words[1] __complete $words[2..-1] "$cur" 2>/dev/null)
    test (count $answer) -gt 0; or return
    if test (count $answer) -gt 1
        printf '%s\n' $answer[2..-1]
    end
    if test "$answer[1]" = files
        __fish_complete_path "$cur"
    end
end
complete -c banger -f -a '(__banger_complete)'
)";

} // namespace

std::string_view completion_script(std::string_view shell) {
  return shell == "bash" ? bash : shell == "zsh" ? zsh : fish;
}

} // namespace banger::cli
