// All pages of the documentation, read and tried in order.
#pragma once

#include "tests/docs/page.hpp"
#include "tests/docs/reader.hpp"

#include <filesystem>

namespace banger::docs {

/// Prints each command with its place, and what it should have printed if it did not.
class walk {
public:
  /// `source`: the checkout with the pages. `stage`: a folder to work in, which need not be there.
  /// `home`: the user's, as the list of users has it, since ssh looks there.
  walk(std::filesystem::path source, std::filesystem::path stage, std::filesystem::path home);
  walk(const walk&) = delete;
  walk& operator=(const walk&) = delete;
  /// Ends the VMs and the daemon.
  ~walk();
  /// False if a page has a mistake; then nothing is run.
  bool read_pages();
  void go();
  /// The exit status.
  int report() const;

private:
  struct tally {
    int run = 0, failed = 0, left_out = 0;
  };

  void settle_in();
  void take_images();
  void take_path();
  void open_page(const std::string& name);
  void close_page();
  void go_apart();
  void take(const std::string& name, const block& b);
  std::string reason_to_pass(const block& b) const;
  answer time(const block& b, const command& c);
  answer do_command(const block& b, const command& c);
  answer do_sudo(const std::string& rest);
  answer do_by_root(const std::string& text);
  void check_named_commands();
  answer check_toml(const block& b);
  void judge(const std::string& where, const command& what, bool compare, const answer& got);

  std::filesystem::path source_, stage_, home_;
  person reader_;
  std::string uid_, gid_;
  bool is_long_;
  std::vector<std::pair<std::string, page>> pages_;
  std::unique_ptr<apart> apart_;
  std::unique_ptr<shell> shell_, root_shell_;
  std::vector<std::unique_ptr<test::child>> by_sudo_;
  tally tally_;
};

} // namespace banger::docs
