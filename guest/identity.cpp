#include "guest/identity.hpp"

#include "guest/files.hpp"
#include "guest/text.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace banger::guest {

done seed_entropy(const std::string& seed) {
  if (seed.empty())
    return {};
  // A rand_pool_info: entropy in bits, size in bytes, then the bytes.
  std::array<std::uint32_t, 2 + 128> pool{};
  const auto size = std::min(seed.size(), (pool.size() - 2) * sizeof pool[0]);
  pool[0] = static_cast<std::uint32_t>(size * 8);
  pool[1] = static_cast<std::uint32_t>(size);
  std::memcpy(&pool[2], seed.data(), size);
  const unique_fd fd(::open("/dev/urandom", O_RDWR | O_CLOEXEC));
  if (!fd || ::ioctl(fd.get(), RNDADDENTROPY, pool.data()) != 0 ||
      ::ioctl(fd.get(), RNDRESEEDCRNG, nullptr) != 0)
    return failed_to("seed the random numbers");
  return {};
}

namespace {

done write_hostname(const std::string& name) {
  if (!is_hostname(name))
    return refused("host name '" + name + "': not one");
  if (::sethostname(name.data(), name.size()) != 0)
    return failed_to("set the host name");
  return write_file("/etc/hostname", name + '\n').and_then([&] {
    return write_file("/etc/hosts", with_hostname(read_file("/etc/hosts"), name));
  });
}

done write_keys(const std::vector<std::string>& keys) {
  const std::string folder = "/root/.ssh", file = folder + "/authorized_keys";
  const auto old = read_file(file);
  const auto text = with_keys(old, keys);
  if (text == old)
    return {};
  return make_folder(folder, 0700).and_then([&] { return write_file(file, text, 0600); });
}

done write_dns(const std::vector<std::string>& servers) {
  std::string text;
  for (const auto& server : servers)
    text += "nameserver " + server + '\n';
  return write_file("/etc/resolv.conf", text);
}

} // namespace

void write_identity(const configure_body& who, notes& said) {
  const auto note = [&](done ok) {
    if (!ok)
      said.push_back(std::move(ok.error().text));
  };
  note(make_folder("/etc"));
  if (!who.hostname.empty())
    note(write_hostname(who.hostname));
  if (!who.machine_id.empty())
    note(write_file("/etc/machine-id", who.machine_id + '\n', 0444));
  if (!who.dns.empty())
    note(write_dns(who.dns));
  if (!who.authorized_keys.empty())
    note(write_keys(who.authorized_keys));
}

} // namespace banger::guest
