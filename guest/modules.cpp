#include "guest/modules.hpp"

#include <fcntl.h>
#include <sys/syscall.h>

namespace banger::guest {

done load_module(const std::string& name) {
  const auto path = "/modules/" + name;
  const unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT)
    return {};
  if (!file)
    return failed_to("open " + path);
  if (::syscall(SYS_finit_module, file.get(), "", 0) != 0 && errno != EEXIST)
    return failed_to("load module " + name);
  return {};
}

std::vector<std::string> load_modules(const std::vector<std::string>& names) {
  std::vector<std::string> notes;
  for (const auto& name : names)
    if (auto ok = load_module(name); !ok)
      notes.push_back(std::move(ok.error().text));
  return notes;
}

result<unique_fd> load_in_background(const std::vector<std::string>& names) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
    return failed_to("pipe");
  unique_fd ours(fds[0]), theirs(fds[1]);
  const auto pid = ::fork();
  if (pid < 0)
    return failed_to("fork");
  if (pid == 0) {
    for (const auto& name : names) {
      const auto ok = load_module(name);
      const auto text = (ok ? std::string() : ok.error().text) + '\n';
      [[maybe_unused]] const auto size = ::write(theirs.get(), text.data(), text.size());
    }
    ::_exit(0);
  }
  return ours;
}

} // namespace banger::guest
