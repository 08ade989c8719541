// A host of its own for VMs on a bridge: a network namespace with an uplink, behind which there is
// a web server in another one; the root helper; and a user whose daemon uses it. This process is
// root, and goes into the namespace for good: each test case has a process of its own.
#pragma once

#include "tests/network/space.hpp"
#include "tests/support/home.hpp"

#include <memory>
#include <optional>

namespace banger::test {

/// Prints why and answers true where there can be none.
bool skipped_without_bridge();

class bridge_scene {
public:
  enum class whose : std::uint8_t { users, roots }; ///< daemon and VMs
  /// `mode`: of the config file. With a scripted hypervisor nothing boots.
  explicit bridge_scene(bool scripted = false, const std::string& mode = "bridge",
                        whose owner = whose::users);
  ~bridge_scene();

  void start_helper(const std::string& failpoint = {}, const std::string& notify = {});
  void kill_helper();
  /// Its log, as far as it has come.
  std::string helper_log() { return helper_->err(); }
  std::filesystem::path helper_folder() const;
  void write_config(const std::string& more = {});
  /// From the next daemon on.
  void change_mode(const std::string& mode);
  /// From now on this process and its children ask our daemon for names, at port 53.
  void ask_daemon_for_names();

  /// `banger ARGS` as the user.
  home& user() { return *home_; }
  /// The VM's address on the bridge, without its prefix.
  std::string address(const std::string& vm);

  /// A program in the host's namespace, as root, to its end.
  outcome host(const words& argv);
  bool pings(const std::string& address);
  /// Elements of a set in our table: "nat", "guests".
  std::size_t elements(const std::string& set);
  std::size_t taps();
  /// Of links, of rules: everything that is ours.
  words left();
  std::string show_network(const std::string& vm);

  static constexpr auto server = "198.51.100.2"; ///< behind the uplink
  static constexpr auto uplink = "198.51.100.1"; ///< of the host
  static constexpr auto page = "hello from beyond\n";
  const space inside, outside;

private:
  void open_web_server();
  void give_to_user();

  std::string mode_;
  int dns_port_ = 5300;
  std::uint32_t uid_ = 0;
  std::optional<space::visit> here_;
  std::unique_ptr<home> home_;
  std::unique_ptr<child> web_, helper_;
};

} // namespace banger::test
