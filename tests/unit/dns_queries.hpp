// Queries as bytes: what the tests of actors/dns ask, and what the fuzzer begins with.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace banger::dns::test {

enum type : std::uint16_t {
  a = 1,
  ns = 2,
  soa = 6,
  ptr = 12,
  mx = 15,
  txt = 16,
  aaaa = 28,
  srv = 33,
  opt = 41,
  ds = 43,
  https = 65,
  ixfr = 251,
  axfr = 252,
  any = 255
};

inline std::string number(unsigned value) {
  return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
}

/// "web.vm" as labels with their lengths.
inline std::string wire_name(std::string_view dotted) {
  std::string wire;
  while (!dotted.empty()) {
    const auto label = dotted.substr(0, dotted.find('.'));
    wire += static_cast<char>(label.size());
    wire += label;
    dotted.remove_prefix(std::min(dotted.size(), label.size() + 1));
  }
  return wire + '\0';
}

inline std::string question(std::string_view dotted, unsigned t = a, unsigned klass = 1) {
  return wire_name(dotted) + number(t) + number(klass);
}

inline std::string opt_record(unsigned udp_size = 1232, unsigned version = 0,
                              bool dnssec_ok = false, std::string_view data = {}) {
  return std::string(1, '\0') + number(opt) + number(udp_size) + number(version) +
         number(dnssec_ok ? 0x8000 : 0) + number(static_cast<unsigned>(data.size())) +
         std::string(data);
}

inline std::string head(unsigned flags = 0x0100, unsigned questions = 1, unsigned answers = 0,
                        unsigned authorities = 0, unsigned additionals = 0, unsigned id = 0x4711) {
  return number(id) + number(flags) + number(questions) + number(answers) + number(authorities) +
         number(additionals);
}

inline std::string ask(std::string_view dotted, unsigned t = a, unsigned klass = 1) {
  return head() + question(dotted, t, klass);
}
inline std::string ask_edns(std::string_view dotted, unsigned t = a,
                            const std::string& record = opt_record()) {
  return head(0x0100, 1, 0, 0, 1) + question(dotted, t) + record;
}

/// A name of 255 bytes that ends in this one.
inline std::string longest_below(std::string_view dotted) {
  std::string name(dotted);
  for (auto left = 253 - name.size(); left > 0; left = 253 - name.size())
    name = std::string(std::min<std::size_t>(left - 1, 63), 'x') + "." + name;
  return name;
}

/// Where a fuzzer begins: each with a name for its file.
inline std::vector<std::pair<std::string, std::string>> samples() {
  const std::string pointer = {'\xc0', '\x0c'};
  return {
      {"a", ask("web.vm")},
      {"case", ask("WeB.vM")},
      {"aaaa-edns", ask_edns("web.vm", aaaa)},
      {"any", ask("web.vm", any)},
      {"below", ask("x.y.web.vm", https)},
      {"nobody", ask("nobody.vm")},
      {"origin-soa", ask("vm", soa)},
      {"origin-ns", ask("vm", ns)},
      {"outside", ask("example.org")},
      {"root", ask("", ns)},
      {"transfer", ask("vm", axfr)},
      {"chaos", ask("version.bind", txt, 3)},
      {"version", ask_edns("web.vm", a, opt_record(1232, 1))},
      {"cookie",
       ask_edns("web.vm", a, opt_record(512, 0, true, std::string("\0\n\0\bcookie88", 12)))},
      {"two-opt", head(0x0100, 1, 0, 0, 2) + question("web.vm") + opt_record() + opt_record()},
      {"two-questions", head(0x0100, 2) + question("web.vm") + question("db.vm")},
      {"pointer", head() + pointer + number(a) + number(1)},
      {"additional", head(0x0100, 1, 0, 0, 1) + question("web.vm") + pointer + number(a) +
                         number(1) + std::string(4, '\0') + number(4) + "abcd"},
      {"notify", head(0x2000) + question("vm", soa)},
      {"response", head(0x8100) + question("web.vm")},
      {"longest", ask(longest_below("web.vm"), aaaa)},
      {"header", head()},
  };
}

} // namespace banger::dns::test
