// Little-endian fields, written and read one after the other. Only for the codec and its tests.
#pragma once

#include "messages/guest/protocol.hpp"

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace banger::guest::wire {

inline bool known(frame_type type) {
  return (type >= frame_type::hello && type <= frame_type::correct_clock) ||
         (type >= frame_type::open && type <= frame_type::urgent);
}
inline bool known(disk_role role) { return role <= disk_role::modules; }
inline bool known(transport_protocol p) { return p <= transport_protocol::udp; }
inline bool known(clock_keeper keeper) { return keeper <= clock_keeper::guest; }
inline bool known(correction how) { return how <= correction::slew; }
inline bool known(exit_kind kind) { return kind <= exit_kind::not_runnable; }

template <class T>
concept integer = std::unsigned_integral<T> && !std::same_as<T, bool>;

template <integer T>
T load(const char* at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(
        value | static_cast<T>(static_cast<T>(static_cast<unsigned char>(at[i])) << (8 * i)));
  return value;
}

template <integer T>
void store(char* at, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    at[i] = static_cast<char>((value >> (8 * i)) & 0xff);
}

class writer {
public:
  template <integer T>
  void put(T value) {
    const auto at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    store(bytes_.data() + at, value);
  }
  void put(bool value) { bytes_.push_back(value ? 1 : 0); }
  template <class T>
  requires std::is_enum_v<T>
  void put(T value) { put(static_cast<std::underlying_type_t<T>>(value)); }
  void put(const std::string& value) {
    put(static_cast<std::uint32_t>(value.size()));
    bytes_ += value;
  }
  template <class T>
  void put(const std::vector<T>& list) {
    put(static_cast<std::uint32_t>(list.size()));
    for (const auto& item : list)
      put(item);
  }
  template <class T>
  requires requires(const T& body) { fields(body); }
  void put(const T& body) {
    std::apply([this](const auto&... field) { (this->put(field), ...); }, fields(body));
  }

  std::string take() { return std::move(bytes_); }

private:
  std::string bytes_;
};

/// After the first thing that is wrong every `get` answers false.
class reader {
public:
  explicit reader(std::string_view bytes) : bytes_(bytes) {}

  template <integer T>
  bool get(T& value) {
    if (bytes_.size() < sizeof(T))
      return false;
    value = load<T>(bytes_.data());
    bytes_.remove_prefix(sizeof(T));
    return true;
  }
  bool get(bool& value) {
    std::uint8_t byte = 0;
    if (!get(byte) || byte > 1)
      return false;
    value = byte == 1;
    return true;
  }
  template <class T>
  requires std::is_enum_v<T>
  bool get(T& value) {
    std::underlying_type_t<T> number{};
    if (!get(number) || !known(static_cast<T>(number)))
      return false;
    value = static_cast<T>(number);
    return true;
  }
  bool get(std::string& value) {
    std::uint32_t size = 0;
    if (!get(size) || size > bytes_.size())
      return false;
    value.assign(bytes_.data(), size);
    bytes_.remove_prefix(size);
    return true;
  }
  // Every element takes at least four bytes, so a count beyond that is a lie and costs no memory.
  template <class T>
  bool get(std::vector<T>& list) {
    std::uint32_t count = 0;
    if (!get(count) || count > bytes_.size() / 4)
      return false;
    list.resize(count);
    for (auto& item : list)
      if (!get(item))
        return false;
    return true;
  }
  template <class T>
  requires requires(T& body) { fields(body); }
  bool get(T& body) {
    return std::apply([this](auto&... field) { return (this->get(field) && ...); }, fields(body));
  }

  bool at_end() const { return bytes_.empty(); }

private:
  std::string_view bytes_;
};

} // namespace banger::guest::wire
