// One table, four readers: what is missing from one of them is found here.
#include "cli/complete.hpp"
#include "cli/manual.hpp"
#include "cli/table.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <sstream>

using namespace banger;
using namespace banger::cli;

namespace {

const surroundings host{{8, 16 * GiB}, [](const char*) -> const char* { return "set"; }, {}, false};

// Calls `look(words of the verb, its page)` for every verb that is not hidden.
template <class Look>
void each_verb(Look look) {
  for (const auto& g : groups())
    for (const auto& v : g.verbs) {
      if (v.hidden)
        continue;
      std::vector<std::string> words;
      if (!g.name.empty())
        words.emplace_back(g.name);
      words.emplace_back(v.name);
      INFO(full_name(g, v));
      look(g, v, words, describe_verb(v, host));
    }
}

std::string help_text(std::vector<std::string> words) {
  words.emplace_back("--help");
  const auto page = parse(words, host);
  REQUIRE(page);
  return std::get<help_page>(*page).text;
}

const manual_page& manual_of(const verb_group& g) {
  static const auto pages = manual_pages();
  const auto file = "banger" + (g.name.empty() ? "" : "-" + std::string(g.name)) + ".1";
  const auto at =
      std::find_if(pages.begin(), pages.end(), [&](const auto& p) { return p.file == file; });
  REQUIRE(at != pages.end());
  return *at;
}

std::string in_roff(std::string text) {
  for (auto at = text.find('-'); at != std::string::npos; at = text.find('-', at + 2))
    text.replace(at, 1, "\\-");
  return text;
}

// The commands of a shell line that are ours, as words. Enough of a shell for examples.
std::vector<std::vector<std::string>> commands_in(const std::string& line) {
  std::vector<std::vector<std::string>> all(1);
  std::string word;
  bool any = false;
  char quote = 0;
  const auto end_word = [&] {
    if (any)
      all.back().push_back(word);
    word.clear();
    any = false;
  };
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      any = true;
    } else if (line.compare(i, 3, "   ") == 0) {
      break; // what follows explains
    } else if (c == ' ') {
      end_word();
    } else if (c == '|' || c == '&' || c == '(' || c == ')' || c == ';' || c == '>') {
      end_word();
      all.emplace_back();
    } else {
      word += c;
      any = true;
    }
  }
  REQUIRE(quote == 0);
  end_word();
  for (auto& words : all)
    if (!words.empty() && words.front() == "do")
      words.erase(words.begin());
  std::erase_if(all, [](const auto& words) { return words.empty() || words.front() != "banger"; });
  for (auto& words : all)
    words.erase(words.begin());
  return all;
}

std::vector<std::string> examples_in(const std::string& text) {
  std::vector<std::string> examples;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  $ "))
      examples.push_back(line.substr(4));
    for (auto at = line.find("`banger "); at != std::string::npos; at = line.find("`banger ", at)) {
      const auto end = line.find('`', at + 1);
      if (end == std::string::npos)
        break;
      examples.push_back(line.substr(at + 1, end - at - 1));
      at = end + 1;
    }
  }
  return examples;
}

void check_examples(const std::string& text) {
  for (const auto& example : examples_in(text)) {
    INFO(example);
    const auto commands = commands_in(example);
    CHECK_FALSE(commands.empty());
    for (const auto& words : commands) {
      const auto understood = parse(words, host);
      INFO((understood ? "" : describe(understood.error())));
      CHECK(understood);
    }
  }
}

} // namespace

TEST_CASE("every command is on its landing page, in completion and in the manual") {
  each_verb([](const auto& g, const auto& v, const auto& words, const page_facts& page) {
    CHECK(page.name == full_name(g, v));
    CHECK_FALSE(page.about.empty());
    CHECK_THAT(landing_page(g).text, Catch::Contains("\n  " + std::string(v.name) + " "));
    if (!v.also.empty())
      CHECK(find_verb(g, v.also) == &v);
    auto typed = words;
    const auto offered = complete(typed, host).fixed;
    CHECK(std::any_of(offered.begin(), offered.end(),
                      [&](const auto& c) { return c.text == v.name; }));
    CHECK_THAT(manual_of(g).text, Catch::Contains("\n.SS " + in_roff(page.name) + "\n"));
  });
}

TEST_CASE("every flag is in the help of its command, in completion and in the manual") {
  each_verb([](const auto& g, const auto&, const auto& words, const page_facts& page) {
    CHECK(page.flags.size() >= 1);
    const auto help = help_text(words);
    for (const auto& flag : page.flags)
      for (const auto& name : flag.names) {
        INFO(name);
        CHECK_FALSE(flag.about.empty());
        CHECK_THAT(help, Catch::Contains(name));
        CHECK_THAT(manual_of(g).text, Catch::Contains("\\fB" + in_roff(name) + "\\fR"));
        if (flag.word)
          continue;
        auto typed = words;
        typed.push_back(name);
        const auto offered = complete(typed, host).fixed;
        CHECK(std::any_of(offered.begin(), offered.end(),
                          [&](const auto& c) { return c.text == name; }));
      }
  });
}

TEST_CASE("every group is on the first page, in completion and has a manual") {
  for (const auto& g : groups()) {
    CHECK_THAT(landing_page(g).text, Catch::Contains("  $ banger "));
    CHECK_THAT(manual_of(g).text, Catch::StartsWith(".TH BANGER"));
    if (g.name.empty())
      continue;
    CHECK_THAT(landing_page(groups().front()).text,
               Catch::Contains("\n  " + std::string(g.name) + " "));
    CHECK(complete({std::string(g.name)}, host).fixed.size() == 1);
    CHECK(help_text({std::string(g.name)}) == landing_page(g).text);
  }
}

TEST_CASE("every example in every page is a command that is understood") {
  for (const auto& g : groups())
    check_examples(landing_page(g).text);
  each_verb([](const auto&, const auto&, const auto& words, const page_facts& page) {
    check_examples(page.examples);
    check_examples(help_text(words));
  });
  CHECK(examples_in(landing_page(groups().front()).text).size() > 5);
}

TEST_CASE("pages fit 100 columns and are ASCII") {
  const auto check = [](const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      INFO(line);
      CHECK(std::all_of(line.begin(), line.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
      if (!line.starts_with("  -"))
        CHECK(line.size() <= 100);
    }
  };
  for (const auto& g : groups())
    check(landing_page(g).text);
  each_verb(
      [&](const auto&, const auto&, const auto& words, const auto&) { check(help_text(words)); });
}

TEST_CASE("what was removed is refused with what to use instead") {
  for (const auto& gone : removed_commands()) {
    std::vector<std::string> words;
    std::istringstream name{std::string(gone.name)};
    for (std::string word; name >> word;)
      words.push_back(word);
    const auto refused = parse(words, host);
    INFO(gone.name);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::bad_request);
    CHECK_THAT(describe(refused.error()), Catch::Contains(std::string(gone.instead)));
    if (gone.name.find(" -") == std::string_view::npos) {
      words.emplace_back("more");
      CHECK(find_removed(words) == &gone);
    }
    check_examples(std::string(gone.instead));
  }
  CHECK(find_removed({"vm", "stop", "box", "--all"}) != nullptr);
  CHECK(find_removed({"vm", "exec", "box", "--", "stop", "--all"}) == nullptr);
  CHECK(find_removed({"image", "build"}) == nullptr);
}

TEST_CASE("the verbs of every day have short names, with the same page and completion") {
  const std::vector<std::pair<std::string, std::string>> all = {
      {"run", "run"}, {"exec", "exec"}, {"shell", "shell"},
      {"ls", "list"}, {"stop", "stop"}, {"rm", "delete"}};
  const auto first = landing_page(groups().front()).text;
  for (const auto& [brief, verb] : all) {
    INFO(brief);
    CHECK(help_text({brief}) == help_text({"vm", verb}));
    CHECK_THAT(first, Catch::Contains("\n  " + brief + " "));
    CHECK(complete({brief}, host).fixed.size() == 1);
    CHECK(complete({brief, "--"}, host).fixed.size() ==
          complete({"vm", verb, "--"}, host).fixed.size());
    CHECK(complete({brief, ""}, host).names == complete({"vm", verb, ""}, host).names);
    CHECK_THAT(manual_of(groups().front()).text, Catch::Contains("\\fBbanger " + brief + "\\fR"));
  }
  const auto run = parse({"run", "--rm", "--", "ls", "rm"}, host);
  REQUIRE(run);
  CHECK(std::get<run_options>(*run).command.argv == std::vector<std::string>{"ls", "rm"});
  const auto gone = parse({"stop", "--all"}, host);
  REQUIRE_FALSE(gone);
  CHECK_THAT(describe(gone.error()), Catch::Contains("`banger vm stop --all` is no more"));
}

TEST_CASE("words of other tools, and verbs in the wrong place, are told where they are") {
  const auto meant = [](const std::vector<std::string>& words) {
    const auto refused = parse(words, host);
    REQUIRE_FALSE(refused);
    return refused.error().remedy;
  };
  CHECK(meant({"runn"}) == "did you mean `banger run`?");
  CHECK(meant({"start", "box"}) == "did you mean `banger vm start`?");
  CHECK(meant({"launch"}) == "did you mean `banger vm create`?");
  CHECK(meant({"vm", "inspect"}) == "did you mean `banger vm show`?");
  CHECK(meant({"vm", "ps"}) == "did you mean `banger ps`?");
  CHECK(meant({"images"}) == "did you mean `banger image list`?");
  CHECK(meant({"daemon", "launch"}) == "see `banger daemon --help`");
}

TEST_CASE("a word that is nearly a command is told which one") {
  const auto refused = parse({"vm", "lsit"}, host);
  REQUIRE_FALSE(refused);
  CHECK(describe(refused.error()) ==
        "unknown command 'lsit' for 'banger vm'; did you mean `banger vm list`?");
}
