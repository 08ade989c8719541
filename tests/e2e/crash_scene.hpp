// A home in which daemons, hypervisors and clients die at moments that are named, and the look at
// what they left.
#pragma once

#include "tests/e2e/crash_rows.hpp"
#include "tests/support/home.hpp"

#include <memory>
#include <set>

namespace banger::crash {

using test::json;

class scene : public test::home {
public:
  enum class guests { scripted, real };
  explicit scene(guests kind = guests::scripted);

  /// Makes the old state of `t`, without failpoints, and arms a daemon.
  void prepare(const trial& t, const std::string& failpoint);
  /// Says the command of `t`, if there is one, and waits for its end.
  test::outcome perform(const trial& t);
  /// True if there is no daemon any more, within a second or two.
  bool daemon_died();
  /// The daemon, once it has come to its failpoint and stopped. Not positive if `client` ended
  /// before; it may be null.
  pid_t daemon_stopped(test::child* client);
  std::vector<pid_t> hypervisors() const;
  /// How often the daemons' log tells of a failpoint.
  std::size_t failures_logged() const;

  /// Lets a daemon without failpoints look at it all; every disagreement between what it says, its
  /// database, its folders, the size of its disks and the processes fails the test, and so does any
  /// other end of `x` than these, or an error without a reason. The state.
  std::string reconcile(const ends& allowed);
  /// The daemon that lives says what is: the disks are as long as it tells.
  void compare_disks();
  /// Deletes what is there; nothing may be left of it.
  void clear();

  unsigned rows = 0; ///< that were tried
  void count(const std::string& what);
  void tell(const std::string& what) const; ///< prints how many

private:
  struct listing {
    std::set<std::string> all, running; ///< ids
    std::set<std::string> rows;         ///< as the database should have them
    std::vector<std::string> wrong;
  };
  listing look();
  void look_at(const json& vm, listing& now) const;
  std::string wrong_disk(const json& vm) const;
  void compare_host(listing& now) const;
  void compare_database(listing& now) const;
  void compare_ends(listing& now, const ends& allowed);
  std::vector<std::string> disagreements(const ends& allowed);
  void end_daemon();
  pid_t find_daemon() const;

  std::unique_ptr<test::child> own_; ///< a daemon that no client started
  pid_t daemon_ = -1;                ///< the armed one
  std::vector<pid_t> before_;        ///< hypervisors that the verb found
  std::string state_;
  sizes sizes_;
};

} // namespace banger::crash
