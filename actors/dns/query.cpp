#include "actors/dns/query.hpp"

namespace banger::dns {

namespace {

constexpr std::size_t most_name = 255, most_label = 63;
constexpr std::uint16_t most_additionals = 4; // OPT, a signature, and some air
constexpr std::uint16_t opt_type = 41;

/// Reads from the front. After a read beyond the end it answers zeros and is `broken`.
class cursor {
public:
  explicit cursor(std::string_view bytes) : bytes_(bytes) {}

  std::uint8_t byte() {
    if (at_ >= bytes_.size()) {
      broken_ = true;
      return 0;
    }
    return static_cast<std::uint8_t>(bytes_[at_++]);
  }
  std::uint16_t number() {
    const unsigned high = byte();
    return static_cast<std::uint16_t>(high << 8 | byte());
  }
  void skip(std::size_t count) {
    if (count > bytes_.size() - at_)
      broken_ = true;
    else
      at_ += count;
  }
  /// A name that is written out. With a pointer in it, it is broken.
  std::string_view name() {
    const auto begin = at_;
    for (std::size_t length = byte(); length != 0 && !broken_; length = byte()) {
      if (length > most_label)
        broken_ = true;
      skip(length);
    }
    if (at_ - begin > most_name)
      broken_ = true;
    return broken_ ? std::string_view{} : bytes_.substr(begin, at_ - begin);
  }
  /// A name whose text does not matter: it may end with a pointer, which is not followed.
  void skip_name() {
    for (std::size_t length = byte(); length != 0 && !broken_; length = byte()) {
      if (length >= 0xc0)
        return skip(1);
      if (length > most_label)
        broken_ = true;
      skip(length);
    }
  }
  bool at_root() const { return at_ < bytes_.size() && bytes_[at_] == 0; }
  bool at_end() const { return at_ == bytes_.size(); }
  bool broken() const { return broken_; }

private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool broken_ = false;
};

// One additional record. False if it is malformed, or a second OPT.
bool read_additional(cursor& in, std::optional<edns>& options) {
  const bool of_root = in.at_root();
  in.skip_name();
  const auto type = in.number(), klass = in.number(), high = in.number(), low = in.number();
  in.skip(in.number());
  if (in.broken())
    return false;
  if (type != opt_type)
    return true;
  if (!of_root || options)
    return false;
  options = {klass, static_cast<std::uint8_t>(high & 0xff), (low & 0x8000) != 0};
  return true;
}

} // namespace

std::optional<header> read_header(std::string_view bytes) {
  if (bytes.size() < header_size)
    return std::nullopt;
  cursor in(bytes);
  header h;
  h.id = in.number();
  const unsigned flags = in.number();
  h.response = (flags & 0x8000) != 0;
  h.opcode = static_cast<std::uint8_t>(flags >> 11 & 0xf);
  h.recursion_desired = (flags & 0x0100) != 0;
  h.checking_disabled = (flags & 0x0010) != 0;
  h.questions = in.number();
  h.answers = in.number();
  h.authorities = in.number();
  h.additionals = in.number();
  return h;
}

std::optional<query> read_query(std::string_view bytes) {
  const auto h = read_header(bytes);
  if (!h || bytes.size() > most_query || h->questions != 1 || h->answers != 0 ||
      h->authorities != 0 || h->additionals > most_additionals)
    return std::nullopt;
  cursor in(bytes);
  in.skip(header_size);
  query q;
  q.name = in.name();
  q.type = in.number();
  q.klass = in.number();
  for (unsigned i = 0; i < h->additionals; ++i)
    if (!read_additional(in, q.options))
      return std::nullopt;
  if (in.broken() || !in.at_end())
    return std::nullopt;
  return q;
}

} // namespace banger::dns
