// The shape of a serialized value, so that its bytes can be checked without building it: nothing is
// allocated for a length that a peer only claims.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace banger::frames {

struct shape {
  enum class kind : std::uint8_t {
    fixed,  ///< `value` bytes
    exact,  ///< the 8 bytes of `value`, big endian: an atom
    text,   ///< a length, then as many bytes
    record, ///< the parts, in order
    list,   ///< a count, then as many of parts[0]
  };

  kind what = kind::record;
  std::uint64_t value = 0;
  std::vector<shape> parts;

  static shape fixed(std::uint64_t bytes) { return {kind::fixed, bytes, {}}; }
  static shape exact(std::uint64_t number) { return {kind::exact, number, {}}; }
  static shape text() { return {kind::text, 0, {}}; }
  static shape record(std::vector<shape> parts) { return {kind::record, 0, std::move(parts)}; }
  static shape list(shape of) { return {kind::list, 0, {std::move(of)}}; }
};

/// Reads what CAF's binary serializer wrote. Every answer is empty when the bytes end too early.
class reader {
public:
  explicit reader(std::span<const char> bytes) : rest_(bytes) {}

  std::optional<std::uint64_t> number(std::size_t bytes); ///< big endian, at most 8 bytes
  std::optional<std::uint32_t> length();                  ///< 7 bits a byte, at most 32 bits in all
  std::optional<std::string_view> text();
  bool skip(std::uint64_t bytes);
  bool at_end() const { return rest_.empty(); }
  std::size_t left() const { return rest_.size(); }

private:
  std::span<const char> rest_;
};

/// Consumes one value of shape `s`. `items` is what is left of the allowance of list elements.
bool read(const shape& s, reader& from, std::uint64_t& items);

/// `bytes` is one value of shape `s`, whole, with nothing behind it, and at most `max_items` list
/// elements.
bool fits(const shape& s, std::span<const char> bytes, std::uint64_t max_items);

} // namespace banger::frames
