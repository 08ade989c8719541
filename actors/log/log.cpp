#include "actors/log/log.hpp"

#include "messages/base/unique_fd.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <limits>
#include <sys/stat.h>

namespace banger::log {

namespace {

constexpr std::size_t longest_text = 4096;

/// Set once by `open`; what changes later is atomic.
struct sink {
  std::string path;
  std::uint64_t max_bytes = 0;
  std::atomic<int> fd = -1;
  std::atomic<level> least = level::info;
  std::atomic<std::uint64_t> bytes = 0;
  std::atomic_flag rotating;
};

sink& the_sink() {
  static sink s;
  return s;
}

unique_fd open_file(const std::string& path) {
  return unique_fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
}

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// dup3 replaces the file behind the descriptor's number in one step, so a thread that writes
// meanwhile hits the old file or the new one, both whole. Another daemon may have moved the file
// already: then it is only opened anew.
void rotate(sink& s) {
  if (s.rotating.test_and_set())
    return;
  struct stat ours {};
  struct stat there {};
  ::fstat(s.fd, &ours);
  // Another thread may have rotated between our write and now.
  if (static_cast<std::uint64_t>(ours.st_size) > s.max_bytes) {
    const auto older = s.path + ".1";
    const bool move = ::stat(s.path.c_str(), &there) == 0 && same_file(ours, there);
    if (move)
      ::rename(s.path.c_str(), older.c_str());
    if (const auto fresh = open_file(s.path); fresh)
      ::dup3(fresh.get(), s.fd, O_CLOEXEC);
    else if (move)
      ::rename(older.c_str(), s.path.c_str());
  }
  ::fstat(s.fd, &ours);
  s.bytes = static_cast<std::uint64_t>(ours.st_size);
  s.rotating.clear();
}

/// Length of the UTF-8 sequence at `at`, 0 if there is none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto lead = byte(at);
  const std::size_t length = lead < 0x80                   ? 1
                             : lead >= 0xc2 && lead < 0xe0 ? 2
                             : lead >= 0xe0 && lead < 0xf0 ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 0;
  if (length == 0 || at + length > text.size())
    return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(at + i) & 0xc0U) != 0x80)
      return 0;
  const bool overlong =
      (lead == 0xe0 && byte(at + 1) < 0xa0) || (lead == 0xf0 && byte(at + 1) < 0x90);
  const bool outside =
      (lead == 0xed && byte(at + 1) > 0x9f) || (lead == 0xf4 && byte(at + 1) > 0x8f);
  return overlong || outside ? 0 : length;
}

void quote(std::string& out, std::string_view text) {
  out += '"';
  const auto end = std::min(text.size(), longest_text);
  for (std::size_t at = 0; at < end;) {
    const auto length = utf8_length(text, at);
    const char c = text[at];
    if (length == 0) {
      out += "\\ufffd";
    } else if (length > 1) {
      out += text.substr(at, length);
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
      out += code;
    } else {
      out += c;
    }
    at += std::max<std::size_t>(length, 1);
  }
  if (end < text.size())
    out += "...";
  out += '"';
}

void add(std::string& out, std::string_view key, std::string_view text) {
  out += ',';
  quote(out, key);
  out += ':';
  quote(out, text);
}

void add(std::string& out, const field& f) {
  if (const auto* text = std::get_if<std::string_view>(&f.value))
    return add(out, f.key, *text);
  out += ',';
  quote(out, f.key);
  out += ':';
  if (const auto* yes = std::get_if<bool>(&f.value))
    out += *yes ? "true" : "false";
  else if (const auto* i = std::get_if<std::int64_t>(&f.value))
    out += std::to_string(*i);
  else
    out += std::to_string(std::get<std::uint64_t>(f.value));
}

std::string timestamp(std::int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm t{};
  ::gmtime_r(&seconds, &t);
  char date[32];
  const auto length = std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &t);
  char fraction[16];
  std::snprintf(fraction, sizeof fraction, ".%03dZ", static_cast<int>(unix_ms % 1000));
  return std::string(date, length) + fraction;
}

} // namespace

std::string_view to_string(level l) {
  switch (l) {
  case level::debug: return "debug";
  case level::info: return "info";
  case level::warn: return "warn";
  case level::error: return "error";
  }
  return "error";
}

expected<level> parse_level(std::string_view text) {
  for (auto l : {level::debug, level::info, level::warn, level::error})
    if (text == to_string(l))
      return l;
  return fail(errc::bad_request, "'" + std::string(text) + "' is not a log level", "",
              "use debug, info, warn or error");
}

std::string format(std::int64_t unix_ms, level l, const about& a, std::string_view event,
                   std::initializer_list<field> fields) {
  std::string line = "{\"ts\":\"" + timestamp(unix_ms) + "\"";
  add(line, "level", to_string(l));
  if (!a.op.empty())
    add(line, "op", a.op);
  if (!a.vm.empty())
    add(line, "vm", a.vm);
  add(line, "event", event);
  for (const auto& f : fields)
    add(line, f);
  line += '}';
  return line;
}

expected<void> open(const options& o) {
  auto& s = the_sink();
  if (o.descriptor >= 0) {
    s.max_bytes = std::numeric_limits<std::uint64_t>::max() / 2;
    s.least = o.least;
    s.fd = o.descriptor;
    return {};
  }
  auto file = open_file(o.file.string());
  struct stat now {};
  if (!file || ::fstat(file.get(), &now) != 0 || ::fchmod(file.get(), 0600) != 0)
    return fail_errno("cannot open the log " + o.file.string(), errno);
  s.path = o.file.string();
  s.max_bytes = o.max_bytes;
  s.least = o.least;
  s.bytes = static_cast<std::uint64_t>(now.st_size);
  unique_fd before(s.fd.exchange(file.release()));
  return {};
}

bool enabled(level l) {
  const auto& s = the_sink();
  return s.fd >= 0 && l >= s.least;
}

void write(level l, const about& a, std::string_view event, std::initializer_list<field> fields) {
  if (!enabled(l))
    return;
  auto& s = the_sink();
  // While no new file can be made (or the thread that makes it is held up) the bound still holds.
  if (s.bytes > 2 * s.max_bytes) {
    rotate(s);
    if (s.bytes > 2 * s.max_bytes)
      return;
  }
  using namespace std::chrono;
  const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  auto line = format(now, l, a, event, fields);
  line += '\n';
  ssize_t written = 0;
  do
    written = ::write(s.fd, line.data(), line.size());
  while (written < 0 && errno == EINTR);
  if (s.bytes.fetch_add(line.size()) + line.size() > s.max_bytes)
    rotate(s);
}

void failed(const about& a, std::string_view event, const failure& f) {
  auto about_it = a;
  if (about_it.op.empty())
    about_it.op = f.operation;
  error(about_it, event, {{"code", to_string(f.code)}, {"text", describe(f)}});
}

} // namespace banger::log
