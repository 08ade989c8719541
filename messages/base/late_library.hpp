// A library that is loaded when it is first needed, and whose absence is an error like another. For
// those that only some hosts need, and that would cost every process memory from its start.
#pragma once

#include "messages/base/error.hpp"

#include <string>

namespace banger {

/// Derive, and name the functions that the library's header declares:
///
///     struct zstd : late_library {
///       zstd() : late_library("libzstd.so.1") {}
///       BANGER_LATE(ZSTD_, compress)   // is called as `compress`
///     };
///
/// Nothing may be called unless `usable`. It stays loaded until the process ends.
class late_library {
public:
  /// `unavailable`: the library is not here, or is another one than it was built for.
  expected<void> usable() const;

protected:
  /// Becomes a pointer of whatever type it is put into.
  struct symbol {
    void* address;
    template <class F>
    operator F*() const { // NOLINT(google-explicit-constructor)
      return reinterpret_cast<F*>(address);
    }
  };

  /// `name` with the number of its interface, as in "libz.so.1".
  explicit late_library(const char* name);
  symbol find(const char* function);

private:
  const char* name_;
  void* handle_;
  std::string why_not_;
};

} // namespace banger

// clang-tidy wants the name of a member in parentheses, where it cannot be.
#define BANGER_LATE(prefix, function)                                                              \
  decltype(&::prefix##function) function = find(#prefix #function); // NOLINT
