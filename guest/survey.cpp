#include "guest/survey.hpp"

#include "guest/files.hpp"
#include "guest/loop.hpp"
#include "guest/text.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <map>
#include <tuple>
#include <unistd.h>

namespace banger::guest {

namespace {

// Columns of /proc/net/tcp and its like, and the states in which a socket waits: TCP_LISTEN, and
// for UDP, where nobody listens, TCP_CLOSE: bound, but not connected.
constexpr std::size_t local_at = 1, state_at = 3, inode_at = 9;
constexpr unsigned tcp_waits = 0x0a, udp_waits = 0x07;

template <class T>
bool number(std::string_view text, T& value, int base) {
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value, base);
  return error == std::errc{} && rest == end && !text.empty();
}

// Groups of eight digits, each four bytes of the address as one number of this machine.
std::string address_of(std::string_view digits) {
  std::array<char, 16> bytes{};
  if (digits.size() != 8 && digits.size() != 32)
    return {};
  for (std::size_t at = 0; at < digits.size(); at += 8) {
    std::uint32_t group = 0;
    if (!number(digits.substr(at, 8), group, 16))
      return {};
    std::memcpy(bytes.data() + at / 2, &group, sizeof group);
  }
  char text[INET6_ADDRSTRLEN];
  const int family = digits.size() == 8 ? AF_INET : AF_INET6;
  return ::inet_ntop(family, bytes.data(), text, sizeof text) != nullptr ? text : "";
}

std::optional<waiting_socket> read_socket(std::string_view line, transport_protocol protocol) {
  const auto fields = split(line, ' ');
  if (fields.size() <= inode_at)
    return std::nullopt;
  const auto colon = fields[local_at].find(':');
  if (colon == std::string::npos)
    return std::nullopt;
  waiting_socket s;
  s.seen.protocol = protocol;
  s.seen.address = address_of(std::string_view(fields[local_at]).substr(0, colon));
  unsigned state = 0;
  if (s.seen.address.empty() ||
      !number(std::string_view(fields[local_at]).substr(colon + 1), s.seen.port, 16) ||
      !number(fields[state_at], state, 16) || !number(fields[inode_at], s.inode, 10))
    return std::nullopt;
  const auto waits = protocol == transport_protocol::tcp ? tcp_waits : udp_waits;
  if (state != waits || s.seen.port == 0)
    return std::nullopt;
  return s;
}

// "1.05" is 105.
bool hundredths(std::string_view text, std::uint32_t& value) {
  const auto dot = text.find('.');
  std::uint32_t whole = 0, part = 0;
  if (dot == std::string_view::npos || text.size() != dot + 3 ||
      !number(text.substr(0, dot), whole, 10) || !number(text.substr(dot + 1), part, 10))
    return false;
  value = whole * 100 + part;
  return true;
}

} // namespace

std::vector<waiting_socket> waiting_sockets(std::string_view text, transport_protocol protocol) {
  std::vector<waiting_socket> all;
  for (const auto& line : split(text, '\n'))
    if (auto s = read_socket(line, protocol))
      all.push_back(std::move(*s));
  return all;
}

std::optional<std::uint64_t> socket_inode(std::string_view link) {
  constexpr std::string_view begin = "socket:[";
  std::uint64_t inode = 0;
  if (!link.starts_with(begin) || !link.ends_with(']') ||
      !number(link.substr(begin.size(), link.size() - begin.size() - 1), inode, 10))
    return std::nullopt;
  return inode;
}

void read_load(std::string_view text, health_body& into) {
  const auto words = split(text, ' ');
  if (words.size() < 3 || !hundredths(words[0], into.load_1) ||
      !hundredths(words[1], into.load_5) || !hundredths(words[2], into.load_15))
    into.load_1 = into.load_5 = into.load_15 = 0;
}

std::uint64_t memory_line(std::string_view text, std::string_view name) {
  for (const auto& line : split(text, '\n')) {
    const auto words = split(line, ' ');
    std::uint64_t kib = 0;
    if (words.size() == 3 && words[2] == "kB" && words[0].size() == name.size() + 1 &&
        words[0].starts_with(name) && words[0].back() == ':' && number(words[1], kib, 10))
      return kib * 1024;
  }
  return 0;
}

namespace {

using unclaimed = std::multimap<std::uint64_t, listener_body*>;

class folder {
public:
  explicit folder(const std::string& path) : handle_(::opendir(path.c_str())) {}
  ~folder() {
    if (handle_ != nullptr)
      ::closedir(handle_);
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;

  /// The next name that is a number; nothing at the end.
  const char* next_number() {
    while (const dirent* entry = handle_ != nullptr ? ::readdir(handle_) : nullptr)
      if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
        return static_cast<const char*>(entry->d_name);
    return nullptr;
  }

private:
  DIR* handle_;
};

std::string name_of(const std::string& process) {
  auto name = read_file(process + "/comm", 64);
  return name.substr(0, std::min<std::size_t>(name.find('\n'), 15));
}

void claim(const char* pid, unclaimed& sockets) {
  const auto process = std::string("/proc/") + pid;
  folder descriptors(process + "/fd");
  while (const char* fd = descriptors.next_number()) {
    char link[64];
    const auto size = ::readlink((process + "/fd/" + fd).c_str(), link, sizeof link);
    const auto inode =
        size > 0 ? socket_inode({link, static_cast<std::size_t>(size)}) : std::nullopt;
    if (!inode)
      continue;
    const auto [first, last] = sockets.equal_range(*inode);
    for (auto at = first; at != last; ++at) {
      number(pid, at->second->pid, 10);
      at->second->process = name_of(process);
    }
    sockets.erase(first, last);
  }
}

void find_processes(std::vector<waiting_socket>& sockets) {
  unclaimed left;
  for (auto& s : sockets)
    left.emplace(s.inode, &s.seen);
  folder processes("/proc");
  while (!left.empty()) {
    const char* pid = processes.next_number();
    if (pid == nullptr)
      return;
    claim(pid, left);
  }
}

} // namespace

ports_body survey_ports(std::uint64_t number) {
  std::vector<waiting_socket> all;
  for (const auto& [file, protocol] : {std::pair{"/proc/net/tcp", transport_protocol::tcp},
                                       std::pair{"/proc/net/tcp6", transport_protocol::tcp},
                                       std::pair{"/proc/net/udp", transport_protocol::udp},
                                       std::pair{"/proc/net/udp6", transport_protocol::udp}})
    for (auto& s : waiting_sockets(read_file(file), protocol))
      all.push_back(std::move(s));
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::tie(a.seen.protocol, a.seen.port, a.seen.address) <
           std::tie(b.seen.protocol, b.seen.port, b.seen.address);
  });
  ports_body body;
  body.number = number;
  if (all.size() > most_listeners)
    body.left_out = static_cast<std::uint32_t>(all.size() - most_listeners);
  all.resize(std::min(all.size(), most_listeners));
  find_processes(all);
  for (auto& s : all)
    body.listeners.push_back(std::move(s.seen));
  return body;
}

health_body survey_health(std::uint64_t number) {
  health_body body;
  body.number = number;
  body.uptime_us = monotonic_us();
  read_load(read_file("/proc/loadavg"), body);
  const auto memory = read_file("/proc/meminfo");
  body.memory_bytes = memory_line(memory, "MemTotal");
  body.memory_free_bytes = memory_line(memory, "MemAvailable");
  return body;
}

} // namespace banger::guest
