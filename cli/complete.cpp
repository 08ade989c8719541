#include "cli/complete.hpp"

#include "cli/print.hpp"

#include <algorithm>

namespace banger::cli {

namespace {

bool contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

void offer(completion& to, std::string_view text, std::string_view about) {
  if (text.starts_with(to.prefix))
    to.fixed.push_back({to.before + std::string(text), std::string(about)});
}

const flag_facts* find_flag(const page_facts& page, std::string_view name) {
  for (const auto& flag : page.flags)
    if (!flag.word && contains(flag.names, name))
      return &flag;
  return nullptr;
}

// What fits where a value of this kind is expected.
void offer_values(completion& to, const flag_facts& flag) {
  const auto& kind = flag.word ? flag.names.front() : flag.value;
  for (const auto& choice : flag.choices)
    offer(to, choice, "");
  if (kind == "VM")
    to.names = wanted_names::vms;
  else if (kind == "IMAGE")
    to.names = wanted_names::images;
  else if (kind == "OPERATION")
    to.names = wanted_names::operations;
  else if (kind == "FILE")
    to.files = true;
}

// What the words of a verb before the unfinished one were taken for.
struct typed {
  const flag_facts* waiting = nullptr; ///< a flag whose value comes next
  std::vector<std::string> flags, words;
};

typed sort_out(const std::vector<std::string>& before, const page_facts& page) {
  typed seen;
  for (const auto& word : before) {
    if (seen.waiting != nullptr) {
      seen.waiting = nullptr;
    } else if (word.size() > 1 && word.starts_with("-")) {
      const auto name = word.substr(0, word.find('='));
      const auto* flag = find_flag(page, name);
      seen.flags.push_back(name);
      if (flag != nullptr && !flag->value.empty() && name.size() == word.size())
        seen.waiting = flag;
    } else {
      seen.words.push_back(word);
    }
  }
  return seen;
}

void offer_flags(completion& to, const page_facts& page, const typed& seen) {
  for (const auto& flag : page.flags) {
    const bool again = std::any_of(flag.names.begin(), flag.names.end(),
                                   [&](const auto& name) { return contains(seen.flags, name); });
    if (flag.word || (again && !flag.many))
      continue;
    // The long name is enough, unless the short one was begun.
    if (to.prefix.size() == 2 && contains(flag.names, to.prefix))
      offer(to, to.prefix, flag.about);
    else
      offer(to, flag.names.back(), flag.about);
  }
}

void offer_word(completion& to, const page_facts& page, const typed& seen) {
  std::size_t at = 0;
  for (const auto& flag : page.flags) {
    if (!flag.word)
      continue;
    if (at == seen.words.size() || flag.many) {
      to.excluded = seen.words;
      return offer_values(to, flag);
    }
    ++at;
  }
}

completion complete_verb(completion c, const verb_entry& v, const std::vector<std::string>& before,
                         const surroundings& around) {
  if (contains(before, "--"))
    return c; // a command in a VM: nothing of it is here
  const auto page = describe_verb(v, around);
  const auto seen = sort_out(before, page);
  c.vms = v.vms;
  if (seen.waiting != nullptr) {
    offer_values(c, *seen.waiting);
  } else if (c.prefix.starts_with("--") && c.prefix.find('=') != std::string::npos) {
    const auto end = c.prefix.find('=');
    const auto* flag = find_flag(page, c.prefix.substr(0, end));
    c.before = c.prefix.substr(0, end + 1);
    c.prefix.erase(0, end + 1);
    if (flag != nullptr && !flag->value.empty())
      offer_values(c, *flag);
  } else if (c.prefix.starts_with("-")) {
    offer_flags(c, page, seen);
  } else {
    offer_word(c, page, seen);
  }
  return c;
}

completion complete_first(completion c, const verb_group& g, bool after_help) {
  const bool root = g.name.empty();
  if (c.prefix.starts_with("-")) {
    for (const auto& flag : landing_page(g).facts.flags)
      offer(c, flag.names.back(), flag.about);
    return c;
  }
  if (root)
    for (const auto& other : groups())
      if (!other.name.empty())
        offer(c, other.name, other.brief);
  for (const auto& v : g.verbs)
    if (!v.hidden)
      offer(c, v.name, v.brief);
  if (root)
    for (const auto& v : vm_verbs())
      if (!v.at_root.empty())
        offer(c, v.at_root, v.brief);
  if (root && !after_help)
    offer(c, "help", "the page of a command");
  return c;
}

} // namespace

completion complete(const std::vector<std::string>& words, const surroundings& around) {
  completion c;
  if (words.empty())
    return c;
  c.prefix = words.back();
  std::vector<std::string> before(words.begin(), words.end() - 1);
  const auto drop = [&](std::size_t n) {
    before.erase(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(n));
  };
  if (!before.empty() && before.front() == "--config") {
    c.files = before.size() == 1;
    if (c.files)
      return c;
    drop(2);
  } else if (!before.empty() && before.front().starts_with("--config=")) {
    drop(1);
  }
  const bool help = !before.empty() && before.front() == "help";
  if (help)
    drop(1);
  before = in_full(std::move(before));
  const auto* in = &groups().front();
  if (!before.empty() && !before.front().empty())
    if (const auto* named = find_group(before.front()); named != nullptr) {
      in = named;
      drop(1);
    }
  if (before.empty())
    return complete_first(std::move(c), *in, help);
  const auto* v = find_verb(*in, before.front());
  if (v == nullptr || help)
    return c;
  drop(1);
  return complete_verb(std::move(c), *v, before, around);
}

std::vector<candidate> vm_candidates(const completion& asked,
                                     const std::vector<messages::vm_view>& vms) {
  std::vector<candidate> fit;
  for (const auto& vm : vms) {
    const bool running = messages::has_machine(vm);
    const bool kind = asked.vms == vm_kind::any || running == (asked.vms == vm_kind::running);
    if (kind && vm.name.starts_with(asked.prefix) && !contains(asked.excluded, vm.name))
      fit.push_back({asked.before + vm.name, vm.state + ", " + vm.image});
  }
  return fit;
}

std::vector<candidate> name_candidates(const completion& asked,
                                       const std::vector<candidate>& names) {
  std::vector<candidate> fit;
  for (const auto& name : names)
    if (name.text.starts_with(asked.prefix) && !contains(asked.excluded, name.text))
      fit.push_back({asked.before + name.text, name.about});
  return fit;
}

std::string candidate_lines(const std::vector<candidate>& candidates) {
  std::string text;
  for (const auto& c : candidates)
    text += plain(c.text) + "\t" + plain(c.about) + "\n";
  return text;
}

} // namespace banger::cli
