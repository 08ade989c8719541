#include "messages/base/late_library.hpp"

#include <dlfcn.h>

namespace banger {

late_library::late_library(const char* name)
    : name_(name), handle_(::dlopen(name, RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ == nullptr)
    why_not_ = ::dlerror();
}

late_library::symbol late_library::find(const char* function) {
  if (handle_ == nullptr)
    return {nullptr};
  void* const address = ::dlsym(handle_, function);
  if (address == nullptr)
    why_not_ = "it has no " + std::string(function);
  return {address};
}

expected<void> late_library::usable() const {
  if (why_not_.empty())
    return {};
  return fail(errc::unavailable, "cannot use " + std::string(name_), why_not_,
              "install the package that has it");
}

} // namespace banger
