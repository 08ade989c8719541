// A host made for a test, in this process: network, /etc and /run of its own, a bridge as the VMs'
// with a guest's port on it, and, if wanted, a bus and systemd-resolved. Gone afterwards.
#pragma once

#include "messages/base/unique_fd.hpp"
#include "tests/support/process.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace banger::test {

class host {
public:
  /// Why there can be none here; empty if it can be made.
  static std::string impossible();
  /// Why it can have no systemd-resolved; empty if it can.
  static std::string no_resolved();

  host();
  ~host();
  host(const host&) = delete;
  host& operator=(const host&) = delete;

  int bridge() const; ///< its number; 10.88.0.1/24, up, without ports
  void plug_in_guest();
  void pull_out_guest();

  static void write(const std::string& file, const std::string& text);

  static constexpr auto bus = "unix:path=/run/dbus/system_bus_socket";
  void start_bus();
  /// With these lines in its [Resolve] section, and the upstream as its DNS.
  void start_resolved(const std::string& settings = "");
  void await_route(); ///< until the resolver asks by way of the bridge
  void stop_resolved() { resolved_.reset(); }

  /// The first address that `getent DATABASE NAME` prints; "" if it finds none.
  std::string getent(const std::string& database, const std::string& name) const;
  /// Whether NSS can ask systemd-resolved itself, not as a name server.
  static bool has_nss_resolve();

private:
  unique_fd network_before_, mounts_before_;
  std::filesystem::path folder_before_;
  std::unique_ptr<child> bus_, resolved_;
};

/// Prints why and answers true if the test cannot be run here.
bool skipped(const std::string& why);

} // namespace banger::test
