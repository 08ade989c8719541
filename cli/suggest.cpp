#include "cli/suggest.hpp"

#include "messages/base/nearest.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace banger::cli {

namespace {

struct synonym {
  std::string_view word, meant;
};

// Of docker, podman, multipass, lima, virsh and vagrant.
constexpr std::array commands = {
    synonym{"launch", "vm create"},     synonym{"new", "vm create"},
    synonym{"init", "vm create"},       synonym{"attach", "vm shell"},
    synonym{"ssh", "vm shell"},         synonym{"connect", "vm shell"},
    synonym{"enter", "vm shell"},       synonym{"inspect", "vm show"},
    synonym{"info", "vm show"},         synonym{"describe", "vm show"},
    synonym{"remove", "vm delete"},     synonym{"destroy", "vm delete"},
    synonym{"purge", "vm delete"},      synonym{"undefine", "vm delete"},
    synonym{"halt", "vm stop"},         synonym{"shutdown", "vm stop"},
    synonym{"poweroff", "vm stop"},     synonym{"down", "vm stop"},
    synonym{"up", "vm start"},          synonym{"boot", "vm start"},
    synonym{"reboot", "vm restart"},    synonym{"log", "vm logs"},
    synonym{"top", "vm stats"},         synonym{"update", "vm set"},
    synonym{"edit", "vm set"},          synonym{"mv", "vm rename"},
    synonym{"images", "image list"},    synonym{"pull", "image build"},
    synonym{"build", "image build"},    synonym{"rmi", "image delete"},
    synonym{"status", "daemon status"},
};

constexpr std::array flags_of_others = {
    synonym{"--cpus", "--vcpu"},
    synonym{"--cpu", "--vcpu"},
    synonym{"--vcpus", "--vcpu"},
    synonym{"-c", "--vcpu"},
    synonym{"--mem", "--memory"},
    synonym{"--ram", "--memory"},
    synonym{"-m", "--memory"},
    synonym{"--disk", "--disk-size"},
    synonym{"--hostname", "--name"},
    synonym{"-e", "--env"},
    synonym{"-w", "--cwd"},
    synonym{"--workdir", "--cwd"},
    synonym{"--working-directory", "--cwd"},
    synonym{"--background", "--detach"},
    synonym{"--remove", "--rm"},
    synonym{"--format", "--json"},
    synonym{"-o", "--json"},
    synonym{"--yes", "--force"},
    synonym{"-y", "--force"},
    synonym{"--no-network", "--no-nat"},
};

std::string_view in_our_words(std::string_view word, std::span<const synonym> table) {
  const auto at =
      std::find_if(table.begin(), table.end(), [&](const auto& s) { return s.word == word; });
  return at == table.end() ? std::string_view{} : at->meant;
}

struct known_command {
  std::string_view word;
  std::string full;
};

void add_verbs(std::vector<known_command>& to, const verb_group& in) {
  for (const auto& v : in.verbs) {
    if (v.hidden)
      continue;
    to.push_back({v.name, full_name(in, v)});
    if (!v.also.empty())
      to.push_back({v.also, full_name(in, v)});
  }
}

// Those of the group first: of two that are equally near, the first counts.
std::vector<known_command> known_in(const verb_group& in) {
  std::vector<known_command> known;
  add_verbs(known, in);
  const auto& root = groups().front();
  if (in.name.empty()) {
    for (const auto& g : groups())
      if (!g.name.empty())
        known.push_back({g.name, "banger " + std::string(g.name)});
    for (const auto& v : vm_verbs())
      if (!v.at_root.empty())
        known.push_back({v.at_root, "banger " + std::string(v.at_root)});
    add_verbs(known, *find_group("vm"));
  } else if (in.name == "vm") {
    add_verbs(known, root);
  }
  return known;
}

const flag_facts* find_flag(std::string_view name, const std::vector<flag_facts>& flags) {
  const auto at = std::find_if(flags.begin(), flags.end(), [&](const flag_facts& flag) {
    return !flag.word && std::find(flag.names.begin(), flag.names.end(), name) != flag.names.end();
  });
  return at == flags.end() ? nullptr : &*at;
}

// How many words a flag takes in all; 0: it is not known.
std::size_t words_of_flag(std::string_view word, const std::vector<flag_facts>& flags) {
  const bool is_long = word.starts_with("--");
  const auto name = is_long ? word.substr(0, word.find('=')) : word.substr(0, 2);
  const auto* flag = find_flag(name, flags);
  if (flag == nullptr)
    return 0;
  return !flag->value.empty() && name.size() == word.size() ? 2 : 1;
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_@%+=:,./-").find(c) != std::string_view::npos;
}

std::string quoted(const std::string& word) {
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain))
    return word;
  std::string text = "'";
  for (const char c : word)
    text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

} // namespace

std::string meant_command(std::string_view word, const verb_group& in) {
  const auto known = known_in(in);
  const auto full_of = [&](std::string_view wanted) {
    const auto at =
        std::find_if(known.begin(), known.end(), [&](const auto& k) { return k.word == wanted; });
    return at == known.end() ? std::string() : at->full;
  };
  if (auto full = full_of(word); !full.empty())
    return full;
  if (in.name.empty() || in.name == "vm")
    if (const auto meant = in_our_words(word, commands); !meant.empty())
      return "banger " + std::string(meant);
  std::vector<std::string_view> words;
  words.reserve(known.size());
  for (const auto& k : known)
    words.push_back(k.word);
  return full_of(nearest(word, words));
}

std::string meant_flag(std::string_view word, const std::vector<flag_facts>& flags) {
  word = word.substr(0, word.find('='));
  std::vector<std::string_view> names;
  for (const auto& flag : flags)
    for (const auto& name : flag.names)
      if (!flag.word && name.starts_with("--"))
        names.push_back(name);
  const auto meant = in_our_words(word, flags_of_others);
  if (!meant.empty() && std::find(names.begin(), names.end(), meant) != names.end())
    return std::string(meant);
  return word.starts_with("--") ? std::string(nearest(word, names)) : "";
}

std::string shell_line(const std::vector<std::string>& words) {
  std::string line;
  for (const auto& word : words)
    line += (line.empty() ? "" : " ") + quoted(word);
  return line;
}

std::optional<std::size_t> word_at(std::size_t at, const std::vector<std::string>& words,
                                   const std::vector<flag_facts>& flags) {
  for (std::size_t i = 0; i < words.size();) {
    const bool is_flag = words[i].size() > 1 && words[i].starts_with("-");
    if (!is_flag && at-- == 0)
      return i;
    const auto taken = is_flag ? words_of_flag(words[i], flags) : 1;
    if (taken == 0)
      return std::nullopt;
    i += taken;
  }
  return std::nullopt;
}

} // namespace banger::cli
