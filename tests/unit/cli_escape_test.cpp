#include "cli/escape.hpp"
#include "tests/support/catch.hpp"

using namespace banger::cli;

namespace {

// What reaches the guest, with our acts in brackets.
std::string typed(std::initializer_list<std::string_view> pieces,
                  std::optional<char> escape = default_escape) {
  escape_filter filter(escape);
  std::string all;
  for (auto piece : pieces)
    while (!piece.empty()) {
      const auto act = filter.feed(piece, all);
      if (act == escape_act::leave)
        all += "[leave]";
      if (act == escape_act::help)
        all += "[help]";
      if (act == escape_act::suspend)
        all += "[suspend]";
    }
  return all;
}

} // namespace

TEST_CASE("an escape counts at the beginning, and after a newline of either kind") {
  CHECK(typed({"~."}) == "[leave]");
  CHECK(typed({"ls\r~."}) == "ls\r[leave]");
  CHECK(typed({"ls\n~?"}) == "ls\n[help]");
  CHECK(typed({"\r~\x1a"}) == "\r[suspend]");
  CHECK(typed({"ls ~."}) == "ls ~.");
  CHECK(typed({"a~.\r"}) == "a~.\r");
}

TEST_CASE("keys that come one by one, and pastes, are the same") {
  CHECK(typed({"\r", "~", "."}) == "\r[leave]");
  CHECK(typed({"x", "\r", "~", "~", "\r", "~", "?"}) == "x\r~\r[help]");
  CHECK(typed({"\r~?~?ls\r"}) == "\r[help][help]ls\r");
}

TEST_CASE("twice is once, and what is no escape goes through whole") {
  CHECK(typed({"~~"}) == "~");
  CHECK(typed({"~~."}) == "~.");
  CHECK(typed({"~/bin\r"}) == "~/bin\r");
  CHECK(typed({"~\r~."}) == "~\r[leave]");
  CHECK(typed({"~", "\x03"}) == "~\x03");
}

TEST_CASE("after an act a line still begins") { CHECK(typed({"~?~."}) == "[help][leave]"); }

TEST_CASE("without an escape every byte goes through, also those of UTF-8") {
  CHECK(typed({"\r~.~?"}, {}) == "\r~.~?");
  CHECK(typed({"gr\xc3\xbcn \xf0\x9f\xa6\x80\r~."}) == "gr\xc3\xbcn \xf0\x9f\xa6\x80\r[leave]");
  CHECK(typed({"\r%.", "~."}, '%') == "\r[leave]~.");
}

TEST_CASE("at most one byte more comes out than went in") {
  escape_filter filter(default_escape);
  std::string out;
  std::string_view first = "~", second = "x";
  filter.feed(first, out);
  CHECK(out.empty());
  filter.feed(second, out);
  CHECK(out == "~x");
}

TEST_CASE("the help speaks of the character that was chosen") {
  CHECK(escape_filter('%').help().find("%.   leave") != std::string::npos);
  CHECK(escape_filter({}).help().empty());
}
