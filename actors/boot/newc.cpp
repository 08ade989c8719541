#include "actors/boot/newc.hpp"

#include <array>
#include <cstdio>
#include <optional>
#include <sys/stat.h>
#include <utility>

namespace banger::boot {

namespace {

constexpr std::string_view magic = "070701";
constexpr std::size_t header_size = 110;
constexpr std::string_view trailer = "TRAILER!!!";
constexpr std::size_t max_name = 4096;

void align(std::string& out) { out.append((4 - out.size() % 4) % 4, '\0'); }

std::size_t aligned(std::size_t at) { return (at + 3) & ~std::size_t{3}; }

// The thirteen numbers after the magic, in order.
enum field {
  inode,
  mode,
  uid,
  gid,
  links,
  mtime,
  size,
  dev_major,
  dev_minor,
  major,
  minor,
  name_size,
  checksum,
  field_count
};
using numbers = std::array<std::uint32_t, field_count>;

std::optional<std::uint32_t> hexadecimal(std::string_view digits) {
  std::uint32_t value = 0;
  for (const char c : digits) {
    std::uint32_t digit = 0;
    if (c >= '0' && c <= '9')
      digit = static_cast<std::uint32_t>(c - '0');
    else if (c >= 'a' && c <= 'f')
      digit = static_cast<std::uint32_t>(c - 'a') + 10;
    else if (c >= 'A' && c <= 'F')
      digit = static_cast<std::uint32_t>(c - 'A') + 10;
    else
      return {};
    value = value << 4 | digit;
  }
  return value;
}

tl::unexpected<failure> damaged(std::size_t at, std::string why) {
  return fail(errc::bad_request, "the archive is damaged at byte " + std::to_string(at),
              std::move(why));
}

expected<numbers> read_header(std::string_view archive, std::size_t at) {
  if (archive.size() - at < header_size)
    return damaged(at, "it ends in a header, or has no trailer");
  if (archive.substr(at, magic.size()) != magic)
    return damaged(at, "no header of the newc format begins there");
  numbers n{};
  for (std::size_t i = 0; i < n.size(); ++i) {
    const auto value = hexadecimal(archive.substr(at + magic.size() + i * 8, 8));
    if (!value)
      return damaged(at, "a number in the header is not hexadecimal");
    n[i] = *value;
  }
  return n;
}

bool leaves_the_root(std::string_view name) {
  if (name.empty() || name.front() == '/')
    return true;
  while (!name.empty()) {
    const auto end = name.find('/');
    if (name.substr(0, end) == "..")
      return true;
    name.remove_prefix(end == std::string_view::npos ? name.size() : end + 1);
  }
  return false;
}

struct step {
  newc_entry entry;
  std::size_t next = 0;
};

expected<step> read_entry(std::string_view archive, std::size_t at) {
  const auto header = read_header(archive, at);
  if (!header)
    return tl::unexpected(header.error());
  const auto& n = *header;
  const auto name_at = at + header_size;
  if (n[name_size] < 2 || n[name_size] > max_name || n[name_size] > archive.size() - name_at)
    return damaged(at, "the length of a name is wrong");
  const auto name = archive.substr(name_at, n[name_size] - 1);
  if (archive[name_at + name.size()] != '\0' || name.find('\0') != std::string_view::npos)
    return damaged(at, "a name does not end where its length says");
  const auto content_at = aligned(name_at + n[name_size]);
  if (content_at > archive.size() || n[size] > archive.size() - content_at)
    return damaged(at, "content goes beyond the end");
  const auto next = aligned(content_at + n[size]);
  if (next > archive.size())
    return damaged(at, "padding is missing");
  return step{{std::string(name), n[mode], n[uid], n[gid], n[mtime], n[major], n[minor],
               std::string(archive.substr(content_at, n[size]))},
              next};
}

} // namespace

void newc_writer::directory(std::string_view name, std::uint32_t permissions) {
  add(name, S_IFDIR | permissions, {}, {});
}

void newc_writer::file(std::string_view name, std::string_view content, std::uint32_t permissions) {
  add(name, S_IFREG | permissions, content, {});
}

void newc_writer::symlink(std::string_view name, std::string_view target) {
  add(name, S_IFLNK | 0777, target, {});
}

void newc_writer::char_device(std::string_view name, std::uint32_t permissions,
                              std::uint32_t number_major, std::uint32_t number_minor) {
  add(name, S_IFCHR | permissions, {}, {number_major, number_minor});
}

std::string newc_writer::finish() {
  add(trailer, 0, {}, {});
  inode_ = 0;
  return std::exchange(out_, {});
}

void newc_writer::add(std::string_view name, std::uint32_t file_mode, std::string_view content,
                      device special) {
  numbers n{};
  n[inode] = file_mode == 0 ? 0 : ++inode_;
  n[mode] = file_mode;
  n[links] = S_ISDIR(file_mode) ? 2 : 1;
  n[size] = static_cast<std::uint32_t>(content.size());
  n[major] = special.major;
  n[minor] = special.minor;
  n[name_size] = static_cast<std::uint32_t>(name.size() + 1);
  out_ += magic;
  for (const auto value : n) {
    std::array<char, 9> digits{};
    std::snprintf(digits.data(), digits.size(), "%08x", value);
    out_ += digits.data();
  }
  out_ += name;
  out_ += '\0';
  align(out_);
  out_ += content;
  align(out_);
}

expected<std::vector<newc_entry>> read_newc(std::string_view archive) {
  std::vector<newc_entry> entries;
  for (std::size_t at = 0;;) {
    auto read = read_entry(archive, at);
    if (!read)
      return tl::unexpected(read.error());
    if (read->entry.name == trailer) {
      if (archive.find_first_not_of('\0', read->next) != std::string_view::npos)
        return damaged(read->next, "something follows the trailer");
      return entries;
    }
    if (leaves_the_root(read->entry.name))
      return damaged(at, "the name '" + read->entry.name + "' leaves the root");
    entries.push_back(std::move(read->entry));
    at = read->next;
  }
}

} // namespace banger::boot
