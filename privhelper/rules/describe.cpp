#include "privhelper/rules/describe.hpp"

namespace banger::helper {

namespace {

std::string cell(const std::string& text) { return text.empty() ? " " : " " + text + " "; }
std::string code(const std::string& text) { return "`" + text + "`"; }

void table(std::string_view role, const std::vector<verb_gates>& verbs, std::string& into) {
  into += "Role `" + std::string(role) +
          "`:\n\n| verb | field | it is | when it is carried out |\n| --- | --- | --- | --- |\n";
  for (const auto& v : verbs) {
    auto verb = code(v.verb);
    if (v.gates.empty())
      into += "|" + cell(verb) + "| | nothing in it is used | |\n";
    for (const auto& g : v.gates) {
      into += "|" + cell(verb) + "|" + cell(code(g.field)) + "|" + cell(g.text) + "|" +
              cell(g.later) + "|\n";
      verb.clear();
    }
  }
}

} // namespace

std::string describe_gates() {
  std::string text;
  table("network", network_gates(), text);
  text += "\n";
  table("machine", machine_gates(), text);
  return text;
}

} // namespace banger::helper
