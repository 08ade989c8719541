// Strong types for what people and peers type: a value of these types is inside its grammar,
// always.
#pragma once

#include "messages/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace banger {

/// A string that went through `Tag::parse`.
template <class Tag>
class strong_name {
public:
  static expected<strong_name> parse(std::string_view text) {
    if (auto bad = Tag::check(text); !bad)
      return tl::unexpected(bad.error());
    return strong_name(std::string(text));
  }

  const std::string& str() const { return text_; }
  friend bool operator==(const strong_name&, const strong_name&) = default;
  friend auto operator<=>(const strong_name&, const strong_name&) = default;

private:
  explicit strong_name(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

/// 1–63 of a-z, 0-9 and '-', not at an end: it becomes a host name and a path component. Never
/// folded or trimmed.
struct vm_name_grammar {
  static expected<void> check(std::string_view text);
};
using vm_name = strong_name<vm_name_grammar>;

/// 12 lower-case hexadecimal digits, drawn at random when a VM is created.
struct vm_id_grammar {
  static expected<void> check(std::string_view text);
};
using vm_id = strong_name<vm_id_grammar>;

/// 1–64 of a-z, 0-9, '.', '-' and '_', starting with a letter or digit: it becomes a path
/// component.
struct image_name_grammar {
  static expected<void> check(std::string_view text);
};
using image_name = strong_name<image_name_grammar>;

/// TERM KILL INT HUP QUIT USR1 USR2 ABRT, in any case, with or without SIG: what may be sent to a
/// hypervisor. Answers the number; everything else is a `bad_request`.
expected<int> parse_signal(std::string_view text);
/// All of them, for people.
std::string signal_names(std::string_view between);

/// Sizes as people write them: `8G`, `512MiB`, `4KiB`, `64` (MiB). Answers bytes; rejects signs,
/// fractions, 0, overflow.
expected<std::uint64_t> parse_size(std::string_view text);

/// Bytes for people: "512 MiB", "1.2 GiB".
std::string format_size(std::uint64_t bytes);

/// What a VM may be given. Bounds that depend on the host come in as arguments, so the rule stays
/// pure.
struct host_limits {
  std::uint32_t cpus = 1;
  std::uint64_t memory_bytes = 0;
};
/// Of this machine.
host_limits limits_of_host();
expected<void> check_vcpu(std::int64_t vcpu, const host_limits& host);
expected<void> check_memory_mib(std::int64_t mib, const host_limits& host);
expected<void> check_disk_bytes(std::uint64_t bytes);

inline constexpr std::uint64_t MiB = std::uint64_t{1024} * 1024;
inline constexpr std::uint64_t GiB = 1024 * MiB;
inline constexpr std::uint64_t min_memory_mib =
    128; ///< below this the Debian kernel does not reach init
inline constexpr std::uint64_t min_disk_bytes = 16 * MiB;
inline constexpr std::uint64_t max_disk_bytes = 16384 * GiB; ///< what ext4 holds with 4 KiB blocks

} // namespace banger
