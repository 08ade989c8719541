#include "guest/text.hpp"

#include <algorithm>
#include <charconv>

namespace banger::guest {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    if (end != 0)
      parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::vector<std::vector<std::string>> module_groups(std::string_view order) {
  std::vector<std::vector<std::string>> groups(1);
  for (auto& line : split(order, '\n'))
    if (line == "--")
      groups.emplace_back();
    else if (line.find('/') == std::string::npos && line[0] != '#')
      groups.back().push_back(std::move(line));
  return groups;
}

namespace {

template <class T>
bool parse_number(std::string_view text, T& value, int base = 10) {
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value, base);
  return error == std::errc{} && rest == end && !text.empty();
}

} // namespace

std::optional<std::array<std::uint8_t, 6>> parse_mac(std::string_view text) {
  std::array<std::uint8_t, 6> mac{};
  if (text.size() != 17)
    return std::nullopt;
  for (std::size_t i = 0; i < mac.size(); ++i)
    if (!parse_number(text.substr(i * 3, 2), mac[i], 16) || (i < 5 && text[i * 3 + 2] != ':'))
      return std::nullopt;
  return mac;
}

std::optional<ipv4> parse_ipv4(std::string_view text) {
  ipv4 address;
  const auto slash = text.find('/');
  if (slash != std::string_view::npos &&
      (!parse_number(text.substr(slash + 1), address.prefix) || address.prefix > 32))
    return std::nullopt;
  const auto dotted = text.substr(0, slash);
  const auto parts = split(dotted, '.');
  if (parts.size() != 4 || std::count(dotted.begin(), dotted.end(), '.') != 3)
    return std::nullopt;
  for (std::size_t i = 0; i < 4; ++i)
    if (!parse_number(parts[i], address.bytes[i]))
      return std::nullopt;
  return address;
}

std::string with_keys(std::string_view old, const std::vector<std::string>& keys) {
  std::string text(old);
  if (!text.empty() && text.back() != '\n')
    text += '\n';
  auto lines = split(old, '\n');
  for (const auto& key : keys)
    if (std::find(lines.begin(), lines.end(), key) == lines.end() && !key.empty() &&
        key.find('\n') == std::string::npos) {
      text += key + '\n';
      lines.push_back(key);
    }
  return text;
}

std::string with_hostname(std::string_view old, const std::string& hostname) {
  std::string text;
  bool localhost = false;
  for (const auto& line : split(old, '\n')) {
    if (line.starts_with("127.0.1.1 ") || line.starts_with("127.0.1.1\t"))
      continue;
    localhost = localhost || line.starts_with("127.0.0.1");
    text += line + '\n';
  }
  if (!localhost)
    text = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n" + text;
  return text + "127.0.1.1 " + hostname + '\n';
}

bool is_hostname(std::string_view text) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
  };
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), good);
}

std::string_view value_of(const std::vector<std::string>& env, std::string_view name) {
  for (const auto& line : env)
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == '=')
      return std::string_view(line).substr(name.size() + 1);
  return {};
}

std::vector<std::string> environment(const std::vector<std::string>& given, bool tty) {
  std::vector<std::string> env = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
      "USER=root", "LOGNAME=root", "LANG=C.UTF-8"};
  if (tty)
    env.emplace_back("TERM=xterm");
  for (const auto& line : given) {
    const auto name = line.substr(0, line.find('=') + 1);
    if (name.size() < 2)
      continue;
    std::erase_if(env, [&](const auto& known) { return known.starts_with(name); });
    env.push_back(line);
  }
  return env;
}

std::string login_shell(std::string_view passwd) {
  for (const auto& line : split(passwd, '\n')) {
    if (!line.starts_with("root:"))
      continue;
    auto shell = line.substr(line.rfind(':') + 1);
    if (std::count(line.begin(), line.end(), ':') == 6 && shell.starts_with('/'))
      return shell;
  }
  return "/bin/sh";
}

std::string login_name(const std::string& shell) {
  return "-" + shell.substr(shell.rfind('/') + 1);
}

std::vector<std::string> candidates(const std::string& command, std::string_view path) {
  if (command.find('/') != std::string::npos)
    return {command};
  std::vector<std::string> found;
  for (const auto& folder : split(path, ':'))
    found.push_back(std::string(folder).append("/").append(command));
  return found;
}

} // namespace banger::guest
