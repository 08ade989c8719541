// Network namespaces that a test makes. One thread goes in and out of them; a socket stays where it
// was made.
#pragma once

#include "messages/base/net.hpp"
#include "messages/base/unique_fd.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace banger::test {

/// Says why not, for ctest.
bool may_make_namespaces();

/// Fails the test that called.
[[noreturn]] void give_up(const std::string& why);

template <class T>
T need(expected<T> got) {
  if (!got)
    give_up(describe(got.error()));
  if constexpr (!std::is_void_v<T>)
    return std::move(*got);
}

/// A network namespace with its loopback device up. Gone when nothing of it is open any more.
class space {
public:
  space();

  /// As long as one of these lives, this thread is there.
  class visit {
  public:
    explicit visit(const space& where);
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;
    ~visit();

  private:
    unique_fd home_;
  };

  template <class F>
  auto in(F&& act) const {
    const visit here(*this);
    return act();
  }
  int fd() const { return fd_.get(); }

private:
  unique_fd fd_;
};

/// The end of a cable.
struct plug {
  const space& where;
  std::string name;
  std::string address; ///< "10.88.0.2/24"; empty: none
  mac_address mac{};   ///< zero: the kernel's choice
};

/// A veth pair, both ends up.
void cable(const plug& a, const plug& b);
void add_route(const space& where, std::string_view to, std::string_view gateway);
/// Makes a link a port of a bridge as `links::open_taps` does: isolated.
void make_port(const space& where, const std::string& bridge, const std::string& link);
void leave_bridge(const space& where, const std::string& link);
void add_link(const space& where, const std::string& name, const std::string& kind);
void add_address(const space& where, const std::string& link, std::string_view address);
bool has_link(const space& where, const std::string& name);
/// Whom this namespace knows on its links, by ARP.
std::vector<std::pair<ipv4, mac_address>> neighbours(const space& where);
/// MACs of ours that a bridge has seen come from a port.
std::vector<mac_address> learned(const space& where, int port);
/// A file of /proc or /sys/..., as this namespace has it, without its newline.
std::string proc_of(const space& where, const std::string& path);

} // namespace banger::test
