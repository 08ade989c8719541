// The flags that `vm run` and `vm create` share: what a VM is made of.
#pragma once

#include "cli/page.hpp"

#include <string>

namespace banger::cli {

class sizing_words {
public:
  void offer(page& verb, const surroundings& around);
  expected<messages::create_request> check(const surroundings& around) const;

private:
  expected<void> check_file(const surroundings& around) const;

  std::string name_, image_, vcpu_, memory_, disk_;
  bool nat_ = false, nested_ = false;
};

} // namespace banger::cli
