#include "actors/dns/sockets.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <sstream>
#include <vector>

namespace banger::dns {

namespace {

namespace fs = std::filesystem;

constexpr unsigned listening = 0x0a; // TCP_LISTEN, as /proc/net/tcp has it

std::string read_text(const fs::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

template <class T>
std::optional<T> number(std::string_view text, int base) {
  T value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || rest != text.data() + text.size())
    return std::nullopt;
  return value;
}

// sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode
std::optional<socket_entry> read_line(const std::string& line, ipv4 address, std::uint16_t port,
                                      transport by) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; words.size() < 10 && in >> word;)
    words.push_back(word);
  if (words.size() < 10 || words[1].size() != 13 || words[1][8] != ':')
    return std::nullopt;
  const auto local = number<std::uint32_t>(std::string_view(words[1]).substr(0, 8), 16);
  const auto at = number<std::uint16_t>(std::string_view(words[1]).substr(9), 16);
  const auto state = number<unsigned>(words[3], 16);
  const auto uid = number<std::uint32_t>(words[7], 10);
  const auto inode = number<std::uint64_t>(words[9], 10);
  if (!local || !at || !state || !uid || !inode || *at != port)
    return std::nullopt;
  // The address is printed as the number that its four bytes are in memory.
  if ((*local != 0 && ntohl(*local) != address.bits) ||
      (by == transport::tcp && *state != listening))
    return std::nullopt;
  return socket_entry{*inode, *uid};
}

bool holds(const fs::path& process, const std::string& socket) {
  std::error_code failed;
  for (fs::directory_iterator at(process / "fd", failed), end; !failed && at != end;
       at.increment(failed)) {
    std::error_code gone;
    if (fs::read_symlink(at->path(), gone) == socket)
      return true;
  }
  return false;
}

} // namespace

std::optional<socket_entry> find_receiver(std::string_view text, ipv4 address, std::uint16_t port,
                                          transport by) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);)
    if (const auto entry = read_line(line, address, port, by))
      return entry;
  return std::nullopt;
}

std::string holder(ipv4 address, std::uint16_t port, transport by) {
  const auto* const table = by == transport::udp ? "/proc/net/udp" : "/proc/net/tcp";
  const auto found = find_receiver(read_text(table), address, port, by);
  if (!found)
    return {};
  const auto socket = "socket:[" + std::to_string(found->inode) + "]";
  std::error_code failed;
  for (fs::directory_iterator at("/proc", failed), end; !failed && at != end;
       at.increment(failed)) {
    const auto pid = at->path().filename().string();
    if (!number<unsigned>(pid, 10) || !holds(at->path(), socket))
      continue;
    auto name = read_text(at->path() / "comm");
    name.erase(std::find(name.begin(), name.end(), '\n'), name.end());
    return name.append(" (pid ").append(pid).append(") has it");
  }
  return "a process of user " + std::to_string(found->uid) + " has it";
}

} // namespace banger::dns
