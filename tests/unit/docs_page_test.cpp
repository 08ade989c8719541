#include "tests/docs/page.hpp"

#include "tests/support/catch.hpp"

using namespace banger::docs;
using lines = std::vector<std::string>;

TEST_CASE("a console block is commands and what they print") {
  const auto p = parse_page("text\n```console\n$ echo a \\\n> b\na b\n$ true\n```\n");
  REQUIRE(p.mistakes.empty());
  REQUIRE(p.blocks.size() == 1);
  const auto& commands = p.blocks[0].commands;
  REQUIRE(commands.size() == 2);
  CHECK(commands[0].line == 3);
  CHECK(commands[0].text == "echo a \\\nb");
  CHECK(commands[0].shown == lines{"a b"});
  CHECK(commands[1].line == 6);
  CHECK(commands[1].shown.empty());
}

TEST_CASE("each line of a sh block is a command, with the lines that belong to it") {
  const auto p =
      parse_page("```sh root\na | b \\\nc\n# comment\nwhile d; do\n  e\ndone < f\n\ng\n```\n");
  REQUIRE(p.mistakes.empty());
  CHECK(p.blocks[0].root);
  const auto& commands = p.blocks[0].commands;
  REQUIRE(commands.size() == 3);
  CHECK(commands[0].text == "a | b \\\nc");
  CHECK(commands[1].text == "while d; do\n  e\ndone < f");
  CHECK(commands[1].line == 5);
  CHECK(commands[2].text == "g");
}

TEST_CASE("a here-document is part of its command") {
  const auto p = parse_page("```sh\ncat > f <<'END'\n# a\n\nb\nEND\nc\n```\n");
  const auto& commands = p.blocks.at(0).commands;
  REQUIRE(commands.size() == 2);
  CHECK(commands[0].text == "cat > f <<'END'\n# a\n\nb\nEND");
  CHECK(commands[1].text == "c");
}

TEST_CASE("a fence that says nothing, or something else, is a mistake") {
  const auto wrong = [](const char* text) { return parse_page(text).mistakes.size() == 1; };
  CHECK(wrong("```\nls\n```\n"));
  CHECK(wrong("```bash\nls\n```\n"));
  CHECK(wrong("```sh slow\nls\n```\n"));
  CHECK(wrong("```sh terminal\nls\n```\n"));
  CHECK(wrong("```text root\nls\n```\n"));
  CHECK(wrong("```console\nls\n```\n"));
  CHECK(wrong("```console\n```\n"));
  CHECK(wrong("```sh\nls\n"));
  CHECK_FALSE(wrong("```console terminal long\n$ ls\n```\n"));
  CHECK_FALSE(wrong("- item\n  ```text\n  a ``` b\n  ```\n"));
}

TEST_CASE("a page shows the stable part of an output") {
  CHECK(matches({"a", "b"}, {"a", "b"}));
  CHECK_FALSE(matches({"a"}, {"a", "b"}));
  CHECK_FALSE(matches({"a", "b"}, {"a"}));
  CHECK(matches({"...", "b"}, {"b"}));
  CHECK(matches({"...", "b"}, {"x", "b", "b"}));
  CHECK(matches({"a", "..."}, {"a"}));
  CHECK_FALSE(matches({"...", "c"}, {"a", "b"}));
  CHECK(matches({"Linux ... x86_64 ..."}, {"Linux deft 6.1 x86_64 GNU"}));
  CHECK_FALSE(matches({"Linux ... arm"}, {"Linux deft x86_64"}));
  CHECK(matches({"op-..."}, {"op-"}));
  CHECK(lines_of("a  \r\n\nb\n\n") == lines{"a", "", "b"});
}

TEST_CASE("a command that is named in backticks is found, without its arguments") {
  using names = std::vector<lines>;
  CHECK(named_commands("`banger ps` `banger vm exec VM -- ls`, `sudo banger system install`") ==
        names{{"ps"}, {"vm", "exec"}, {"system", "install"}});
  CHECK(named_commands("\"`banger vm start \" + name") == names{{"vm", "start"}});
  CHECK(named_commands("`banger vm-x` `banger --help` `bangerd ps`") == names{});
}

TEST_CASE("a line of root's has another prompt") {
  const auto p = parse_page("```console root\n# id -u\n0\n$ true\n```\n");
  REQUIRE(p.blocks.at(0).commands.size() == 2);
  CHECK(p.blocks[0].commands[0].by_root);
  CHECK(p.blocks[0].commands[0].shown == lines{"0"});
  CHECK_FALSE(p.blocks[0].commands[1].by_root);
}

TEST_CASE("the order of pages is the order of the links") {
  CHECK(linked_pages("[a](a.md) [x](../x.md) [b](b.md#c) [a](a.md) [w](https://w)") ==
        lines{"a.md", "b.md"});
}
