#include "cli/page.hpp"

#include "cli/suggest.hpp"

#include <algorithm>
#include <memory>

namespace banger::cli {

namespace {

class usage_formatter : public CLI::Formatter {
public:
  explicit usage_formatter(std::string usage) : usage_(std::move(usage)) { column_width(26); }
  std::string make_usage(const CLI::App*, std::string) const override {
    return "\nUsage: " + usage_ + "\n";
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_name().empty() ? "" : " " + option->get_type_name();
  }

private:
  std::string usage_;
};

// CLI11's words for what is wrong, in ours.
std::string complaint(const CLI::App& app, const CLI::ParseError& e) {
  const auto kind = static_cast<CLI::ExitCodes>(e.get_exit_code());
  if (kind == CLI::ExitCodes::ExtrasError) {
    const auto rest = app.remaining();
    const std::string word = rest.empty() ? "" : rest.front();
    return (word.starts_with("-") ? "unknown flag '" : "unexpected word '") + word + "'";
  }
  std::string text = e.what();
  if (kind == CLI::ExitCodes::RequiredError)
    return "a " + text;
  if (kind == CLI::ExitCodes::ArgumentMismatch) {
    const auto flag = text.substr(0, text.find(':'));
    return flag + (text.find("At Most") != std::string::npos ? ": it may be given only once"
                                                             : ": it needs a value");
  }
  return text;
}

// The type of a choice is written "a|b|c".
std::vector<std::string> choices_in(std::string_view type) {
  std::vector<std::string> choices;
  if (type.find('|') == std::string_view::npos)
    return choices;
  while (!type.empty()) {
    const auto end = std::min(type.find('|'), type.size());
    choices.emplace_back(type.substr(0, end));
    type.remove_prefix(std::min(type.size(), end + 1));
  }
  return choices;
}

} // namespace

split_words split_command(const std::vector<std::string>& words) {
  const auto at = std::find(words.begin(), words.end(), "--");
  split_words split{{words.begin(), at}, {}, at != words.end()};
  if (split.has_command)
    split.command.assign(at + 1, words.end());
  return split;
}

page::page(std::string name, std::string_view usage, std::string_view about,
           std::string_view examples)
    : name_("banger " + std::move(name)), usage_(usage), about_(about), examples_(examples),
      app_(about_, name_) {
  app_.formatter(std::make_shared<usage_formatter>(name_ + " " + usage_));
  app_.set_help_flag();
  app_.add_flag("-h,--help", wants_help_, "print this page");
  // The formatter ends the page with a newline of its own.
  examples.remove_suffix(examples.ends_with('\n') ? 1 : 0);
  app_.footer(std::string(examples));
}

CLI::Option* page::text(const char* name, std::string& value, std::string about) {
  return app_.add_option(name, value, std::move(about))->type_name("");
}

CLI::Option* page::list(const char* name, std::vector<std::string>& values, std::string about) {
  return app_.add_option(name, values, std::move(about))->type_name("");
}

void page::flag(const char* name, bool& value, std::string about) {
  app_.add_flag(name, value, std::move(about));
}

CLI::Option* page::choice(const char* name, std::string& value, std::vector<std::string> choices,
                          std::string about) {
  std::string type, listed;
  for (const auto& c : choices) {
    type += (type.empty() ? "" : "|") + c;
    listed += (listed.empty() ? "" : ", ") + c;
  }
  return text(name, value, std::move(about))
      ->type_name(type)
      ->check([choices = std::move(choices), listed](const std::string& given) {
        const bool known = std::find(choices.begin(), choices.end(), given) != choices.end();
        return known ? std::string() : "it must be one of " + listed;
      });
}

expected<void> page::parse(const std::vector<std::string>& words) {
  // Help is wanted even when the rest does not fit.
  const auto end = std::find(words.begin(), words.end(), "--");
  if (std::any_of(words.begin(), end, asks_help)) {
    wants_help_ = true;
    return {};
  }
  try {
    app_.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& e) {
    return fail(errc::bad_request, complaint(app_, e), "", remedy(e));
  }
  return {};
}

std::string page::remedy(const CLI::ParseError& e) const {
  auto see = "see `" + name_ + " --help`";
  if (e.get_exit_code() != static_cast<int>(CLI::ExitCodes::ExtrasError))
    return see;
  const auto rest = app_.remaining();
  const auto meant = rest.empty() ? std::string() : meant_flag(rest.front(), facts().flags);
  return meant.empty() ? see : "did you mean " + meant + "? " + see;
}

help_page page::help() const { return {app_.help(), facts()}; }

page_facts page::facts() const {
  page_facts all{name_, usage_, about_, examples_, {}};
  for (const auto* option : app_.get_options()) {
    if (option->get_group().empty())
      continue; // takes what does not belong there, to say so
    flag_facts flag;
    for (const auto& name : option->get_snames())
      flag.names.push_back("-" + name);
    for (const auto& name : option->get_lnames())
      flag.names.push_back("--" + name);
    flag.word = flag.names.empty();
    if (flag.word)
      flag.names.push_back(option->get_name());
    flag.value = option->get_type_name();
    flag.choices = choices_in(flag.value);
    flag.about = option->get_description();
    flag.many = option->get_items_expected_max() > 1 ||
                option->get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
    all.flags.push_back(std::move(flag));
  }
  return all;
}

bool asks_help(std::string_view word) { return word == "-h" || word == "--help"; }

} // namespace banger::cli
