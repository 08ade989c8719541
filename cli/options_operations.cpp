// `banger operations`: what takes long, and coming back to it.
#include "cli/help.hpp"
#include "cli/page.hpp"
#include "cli/table.hpp"

#include <array>

namespace banger::cli {

namespace {

using words_of = const std::vector<std::string>&;

expected<command> parse_list(words_of words, const surroundings&) {
  page verb("operations list", "[--json]",
            "Running operations, then the last hundred that ended. The verb may be left out.",
            help::operations_examples);
  operations_options options;
  verb.flag("--json", options.json, "as a JSON array");
  return read(verb, words, [&]() -> expected<command> { return options; });
}

expected<command> parse_wait(words_of words, const surroundings&) {
  page verb("operations wait", "OPERATION [-q]",
            "Wait for an operation, whoever began it. Exit code: 0 if it succeeded, else 1.",
            help::operations_examples);
  operation_options options{"wait", {}, false};
  verb.text("OPERATION", options.op, "its id, or the beginning of it")->required();
  verb.flag("-q,--quiet", options.quiet, "no progress");
  return read(verb, words, [&]() -> expected<command> { return options; });
}

expected<command> parse_cancel(words_of words, const surroundings&) {
  page verb("operations cancel", "OPERATION",
            "End an operation early. What it did is undone when this returns.",
            help::operations_examples);
  operation_options options{"cancel", {}, false};
  verb.text("OPERATION", options.op, "its id, or the beginning of it")->required();
  return read(verb, words, [&]() -> expected<command> { return options; });
}

constexpr std::array operations_list = {
    verb_entry{"list", "ls", "what runs and what ended lately; --json for programs", parse_list},
    verb_entry{"wait", "", "wait for one, and end as it does", parse_wait},
    verb_entry{"cancel", "", "end one early, and undo what it did", parse_cancel},
};

} // namespace

std::span<const verb_entry> operations_verbs() { return operations_list; }

} // namespace banger::cli
