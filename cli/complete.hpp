// What a shell offers while somebody types. All of it is decided here; the scripts of the shells
// only pass words on. Pure.
#pragma once

#include "cli/table.hpp"
#include "messages/models.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace banger::cli {

struct candidate {
  std::string text;
  std::string about; ///< may be empty
};

/// Names that only a daemon knows.
enum class wanted_names : std::uint8_t { none, vms, images, operations };

struct completion {
  std::vector<candidate> fixed; ///< of commands, flags, values
  bool files = false;           ///< names of files here fit as well
  wanted_names names = wanted_names::none;
  vm_kind vms = vm_kind::any;
  std::string prefix;                ///< names must begin with it
  std::string before;                ///< goes in front of each name: "--image="
  std::vector<std::string> excluded; ///< were typed already
};

/// `words` are those after `banger`; the last one is unfinished, maybe empty.
completion complete(const std::vector<std::string>& words, const surroundings& around);

/// The VMs that fit, with what they are.
std::vector<candidate> vm_candidates(const completion& asked,
                                     const std::vector<messages::vm_view>& vms);
/// Names of images or operations that fit.
std::vector<candidate> name_candidates(const completion& asked,
                                       const std::vector<candidate>& names);

/// As the scripts read it: "NAME<tab>ABOUT", one a line.
std::string candidate_lines(const std::vector<candidate>& candidates);

/// The script of a shell. `shell` is bash, zsh or fish.
std::string_view completion_script(std::string_view shell);

} // namespace banger::cli
