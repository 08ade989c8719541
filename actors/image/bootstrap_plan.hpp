// mmdebstrap: how it is called, what it says while it works, why it failed. Pure.
#pragma once

#include "actors/image/apt_sources.hpp"
#include "actors/image/recipe.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace banger::image {

/// How a system is installed into a folder without being it.
enum class bootstrap_mode : std::uint8_t {
  root,
  unshare,    ///< as root of a user namespace, with the user's subordinate ids
  fakechroot, ///< by preloaded libraries: works anywhere, also in a chroot or a container
};
std::string_view to_string(bootstrap_mode mode);

/// What this host offers.
struct bootstrap_facts {
  bool root = false;
  bool mmdebstrap = false, newuidmap = false;
  bool subordinates = false; ///< a namespace with subordinate ids could be made
  bool fakechroot = false, fakeroot = false;
  bool newer_libc = false; ///< than the image's: preloaded libraries need what the image's lacks
};

/// The best that works. `unavailable` names all that is missing and how to get it.
expected<bootstrap_mode> choose_mode(const bootstrap_facts& facts);

/// What nobody reads in a throw-away machine is left out, in dpkg's words. Licences stay.
inline constexpr std::array path_rules = {
    "path-exclude=/usr/share/man/*",     "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/doc/*",     "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/locale/*",  "path-include=/usr/share/locale/locale.alias",
    "path-exclude=/usr/share/lintian/*",
};

struct bootstrap_plan {
  bootstrap_mode mode = bootstrap_mode::root;
  recipe what;
  apt_sources from;
  std::filesystem::path options_file; ///< holds `from.options`; empty: there are none
  std::filesystem::path target; ///< folder for the system; empty: an archive on standard output
};

/// What goes in front of a program so that its processes and mounts end with it, and it with us; in
/// `unshare` it is root there. Nothing for fakechroot, which works where namespaces do not.
std::vector<std::string> confinement(bootstrap_mode mode);

std::vector<std::string> bootstrap_arguments(const bootstrap_plan& plan);

/// An archive of the folder on standard output.
std::vector<std::string> archive_arguments(const std::filesystem::path& folder);

/// What /proc tells of a process.
struct process_traits {
  std::string environment; ///< entries that end with NUL
  std::string root, cwd;   ///< empty: not known
};

/// Whether a bootstrap in the folder WORK began it: it was given WORK for its temporary files, or
/// lives below. That WORK is mentioned anywhere else says nothing.
bool is_of_bootstrap(const process_traits& process, const std::string& work);

/// Reads what mmdebstrap says, line by line.
class bootstrap_watch {
public:
  /// What is going on, for people, when that has changed: "packages: unpacking 12 of 142".
  std::optional<std::string> hear(std::string_view line);
  /// What went wrong, if it failed; `f` is how its process ended.
  failure explain(const failure& f, std::string_view suite) const;
  /// What it said last, a few lines, for the log.
  std::string last_words() const;

private:
  std::string detail();
  std::optional<failure> explain_missing(std::string_view suite) const;
  std::optional<failure> explain_network() const;

  unsigned part_ = 0, all_ = 0, fetched_ = 0, unpacked_ = 0, configured_ = 0;
  std::string doing_, told_;
  std::vector<std::string> errors_; ///< the first few
  std::deque<std::string> last_;    ///< lines, for an end without an error
};

} // namespace banger::image
