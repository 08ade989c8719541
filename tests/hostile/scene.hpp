// A host with a network namespace and folders of its own, the real root helper on it, and the owner
// whom it serves.
#pragma once

#include "tests/hostile/speaker.hpp"
#include "tests/network/space.hpp"
#include "tests/support/process.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <nlohmann/json.hpp>

namespace banger::hostile {

using json = nlohmann::json;
using namespace std::chrono_literals;

inline constexpr std::uint32_t owner_uid = 61000, stranger_uid = 61001;

/// A folder of root's that others may look into.
class host {
public:
  host();

  /// The owner's state folder, with every kind of trap for who opens paths in it.
  void make_state();
  /// Links that are nobody's business but the host's.
  void make_foreign_links();

  /// Links, addresses, routes and packet filter, as text.
  std::string network() const;
  /// Everything below the host's folder but the sockets: kind, owner, size, time and content.
  std::string files() const;
  /// What `program ARGS...` says in the namespace.
  std::string run(std::vector<std::string> argv) const;
  std::vector<std::string> our_links() const;

  std::filesystem::path sockets() const { return top.top() / "run"; }
  std::filesystem::path state() const { return top.top() / "state"; }

  test::scratch top;
  test::space space, outside;
};

/// banger-privhelper, until it serves.
class helper_process {
public:
  struct options {
    std::string role = "both", failpoint, state;
  };
  explicit helper_process(const host& where) : helper_process(where, options()) {}
  helper_process(const host& where, const options& o);

  pid_t pid() const { return process_.pid(); }
  bool running() { return process_.running(); }
  int wait() { return process_.wait(10s); }
  void signal(int number) const { process_.signal(number); }
  /// Lines of the log with this event that came since the last call.
  std::vector<json> log(const std::string& event);
  /// Waits for the next such line.
  bool logs(const std::string& event, const std::function<bool(const json&)>& fits);
  bool until(const std::function<bool()>& met, std::chrono::milliseconds deadline = 20s) {
    return process_.until(met, deadline);
  }
  void read_log() {
    process_.until([] { return false; }, 2ms);
  }

private:
  test::child process_;
  std::map<std::string, std::size_t> read_; ///< bytes of the log, by event
};

/// The program hostile_owner: gives orders, or worse, as this user.
class owner_process {
public:
  owner_process(const host& where, helper_process& helper, std::uint32_t uid = owner_uid);

  pid_t pid() const { return process_.pid(); }
  void signal(int number) const { process_.signal(number); }
  int wait() { return process_.wait(10s); }
  /// One command, one answer. Fails the test if there is none.
  json ask(const std::string& command);
  void say(const std::string& command) { process_.write(command + "\n"); }
  json answer();
  /// Its next answer is there.
  bool answered() const;
  bool until(const std::function<bool()>& met, std::chrono::milliseconds deadline = 20s);

private:
  helper_process& helper_;
  test::child process_;
  std::size_t read_ = 0;
};

std::int64_t rss_kib(pid_t pid);
std::size_t descriptors(pid_t pid);
bool stopped(pid_t pid);

} // namespace banger::hostile
