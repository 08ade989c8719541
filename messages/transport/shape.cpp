#include "messages/transport/shape.hpp"

#include <algorithm>

namespace banger::frames {

std::optional<std::uint64_t> reader::number(std::size_t bytes) {
  if (bytes > 8 || bytes > rest_.size())
    return std::nullopt;
  std::uint64_t value = 0;
  for (const char byte : rest_.first(bytes))
    value = value << 8 | static_cast<unsigned char>(byte);
  rest_ = rest_.subspan(bytes);
  return value;
}

std::optional<std::uint32_t> reader::length() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    const auto byte = number(1);
    if (!byte)
      return std::nullopt;
    value |= (*byte & 0x7f) << shift;
    if ((*byte & 0x80) == 0)
      return value <= UINT32_MAX ? std::optional(static_cast<std::uint32_t>(value)) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::string_view> reader::text() {
  const auto size = length();
  if (!size || *size > rest_.size())
    return std::nullopt;
  const std::string_view value(rest_.data(), *size);
  rest_ = rest_.subspan(*size);
  return value;
}

bool reader::skip(std::uint64_t bytes) {
  if (bytes > rest_.size())
    return false;
  rest_ = rest_.subspan(bytes);
  return true;
}

namespace {

bool read_list(const shape& element, reader& from, std::uint64_t& items) {
  const auto count = from.length();
  if (!count || *count > items)
    return false;
  items -= *count;
  for (std::uint32_t i = 0; i < *count; ++i)
    if (!read(element, from, items))
      return false;
  return true;
}

} // namespace

bool read(const shape& s, reader& from, std::uint64_t& items) {
  switch (s.what) {
  case shape::kind::fixed: return from.skip(s.value);
  case shape::kind::exact: return from.number(8) == s.value;
  case shape::kind::text: return from.text().has_value();
  case shape::kind::record:
    return std::all_of(s.parts.begin(), s.parts.end(),
                       [&](const shape& part) { return read(part, from, items); });
  case shape::kind::list: return !s.parts.empty() && read_list(s.parts.front(), from, items);
  }
  return false;
}

bool fits(const shape& s, std::span<const char> bytes, std::uint64_t max_items) {
  reader from(bytes);
  return read(s, from, max_items) && from.at_end();
}

} // namespace banger::frames
