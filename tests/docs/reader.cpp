#include "tests/docs/reader.hpp"

#include "tests/docs/page.hpp"

#include <fstream>
#include <stdexcept>

namespace banger::docs {

namespace {

using test::milliseconds;
constexpr milliseconds patience{600'000};
// No output of a page has this byte.
constexpr char sentinel = '\x01';

test::program in_folder(const person& p, std::vector<std::string> argv) {
  auto words = p.become;
  for (const auto& word : {std::string("env"), std::string("-C"), p.folder})
    words.push_back(word); // here, since a mount namespace is entered at its root
  words.insert(words.end(), argv.begin(), argv.end());
  return {std::move(words), p.env, test::input::pipe};
}

bool answer_to(test::at_terminal& terminal, const std::string& line, std::string_view prompt) {
  const auto end = line.find(prompt) + prompt.size();
  if (!terminal.sees(line.substr(0, end), one_step))
    return false;
  terminal.type(line.substr(end) + "\r");
  return terminal.sees(line.substr(end), one_step); // its echo
}

// One line of a page at a terminal: keys, or what is to be seen.
bool follow(test::at_terminal& terminal, const std::string& line) {
  constexpr std::string_view guest = "# ", question = "[y/N] ";
  if (line == "...")
    return true;
  if (line.starts_with(guest))
    return answer_to(terminal, line, guest);
  if (line.find(question) != std::string::npos)
    return answer_to(terminal, line, question);
  if (line != "^C")
    return terminal.sees(line, one_step);
  terminal.type("\x03");
  return true;
}

} // namespace

shell::shell(const person& p)
    : bash_(in_folder(p, {"bash", "--norc", "--noprofile"})),
      script_(p.env.at("BANGER_DOCS_SCRIPT")) {}

answer shell::run(const std::string& command) {
  std::ofstream(script_, std::ios::trunc) << command << "\n";
  bash_.write(". " + script_ + " </dev/null; printf '\\001%s\\001' $?\n");
  answer result;
  const auto errors_before = bash_.err().size();
  std::size_t first = 0, last = 0;
  const bool ended = bash_.until(
      [&] {
        const auto& out = bash_.out();
        first = out.find(sentinel, seen_);
        last = first == std::string::npos ? first : out.find(sentinel, first + 1);
        return last != std::string::npos || !bash_.running();
      },
      patience);
  const auto& out = bash_.out();
  result.output = out.substr(seen_, std::min(first, out.size()) - seen_);
  result.errors = bash_.err().substr(errors_before);
  if (ended && last != std::string::npos) {
    result.status = std::stoi(out.substr(first + 1, last - first - 1));
    seen_ = last + 1;
  }
  return result;
}

std::vector<std::string> expand(shell& s, const std::string& rest) {
  const auto text = s.run("printf '%s\\n' " + rest).output;
  return lines_of(text);
}

answer run_at_terminal(const person& p, const std::string& command,
                       const std::vector<std::string>& shown) {
  test::at_terminal terminal(in_folder(p, {"bash", "--norc", "--noprofile", "-c", command}));
  for (const auto& line : shown)
    if (!follow(terminal, line))
      return {-1, terminal.shown(), "not seen: " + line};
  const int status = terminal.wait(one_step);
  return {status, terminal.shown(), {}};
}

apart::apart()
    : anchor_({{"unshare", "--net", "--mount", "--propagation", "private", "sh", "-c",
                "mount -t tmpfs -o mode=755 run /run && ip link set lo up && "
                "ip link add up0 type veth peer name up1 && ip link set up1 up && ip link set up0 "
                "up && "
                "ip address add 192.0.2.2/24 dev up0 && ip route add default via 192.0.2.1 && "
                "echo ready && exec sleep infinity"},
               {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}}}) {
  if (!anchor_.until([&] { return anchor_.out() == "ready\n" || !anchor_.running(); },
                     milliseconds(15'000)) ||
      !anchor_.running())
    throw std::runtime_error("cannot make namespaces: " + anchor_.err());
}

std::vector<std::string> apart::enter() const {
  const auto proc = "/proc/" + std::to_string(anchor_.pid()) + "/ns/";
  return {"nsenter", "--net=" + proc + "net", "--mount=" + proc + "mnt", "--"};
}

} // namespace banger::docs
