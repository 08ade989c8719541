#include "messages/guest/wire.hpp"

#include <array>
#include <cstring>

namespace banger::guest {

namespace {

constexpr char magic[2] = {'b', 'G'};

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    auto value = i;
    for (int bit = 0; bit < 8; ++bit)
      value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320u : 0u);
    table[i] = value;
  }
  return table;
}

constexpr auto crc_table = make_crc_table();

std::uint32_t crc_update(std::uint32_t crc, std::string_view bytes) {
  for (const char c : bytes)
    crc = (crc >> 8) ^ crc_table[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return crc;
}

// Of the header without the field that holds it, bytes 12 to 15.
std::uint32_t header_crc(std::string_view head) {
  return ~crc_update(crc_update(~0u, head.substr(0, 12)), head.substr(16, 8));
}

} // namespace

void encode_header(char* out, const header& h) {
  out[0] = magic[0];
  out[1] = magic[1];
  wire::store(out + 2, static_cast<std::uint8_t>(h.type));
  wire::store(out + 3, static_cast<std::uint8_t>(h.stream));
  wire::store(out + 4, h.session);
  wire::store(out + 8, h.length);
  wire::store(out + 16, h.offset);
  wire::store(out + 12, header_crc(std::string_view(out, header_size)));
}

void encode(std::string& out, header h, std::string_view payload) {
  if (payload.size() > max_payload)
    return;
  h.length = static_cast<std::uint32_t>(payload.size());
  char head[header_size];
  encode_header(head, h);
  out.append(head, header_size);
  out.append(payload);
}

std::optional<header> decode_header(std::string_view bytes) {
  if (bytes.size() < header_size || bytes[0] != magic[0] || bytes[1] != magic[1])
    return std::nullopt;
  const auto* at = bytes.data();
  const auto type = wire::load<std::uint8_t>(at + 2);
  const auto stream = wire::load<std::uint8_t>(at + 3);
  header h;
  h.session = wire::load<std::uint32_t>(at + 4);
  h.length = wire::load<std::uint32_t>(at + 8);
  h.offset = wire::load<std::uint64_t>(at + 16);
  if (!wire::known(static_cast<frame_type>(type)) ||
      stream > static_cast<std::uint8_t>(stream_id::err) || h.length > max_payload ||
      wire::load<std::uint32_t>(at + 12) != header_crc(bytes))
    return std::nullopt;
  h.type = static_cast<frame_type>(type);
  h.stream = static_cast<stream_id>(stream);
  return h;
}

char* parser::prepare(std::size_t size) {
  // What was consumed is dropped when nothing else is there, or when it outweighs what is.
  if (at_ == end_) {
    at_ = end_ = 0;
  } else if (at_ > max_payload && at_ > end_ / 2) {
    std::memmove(buffer_.data(), buffer_.data() + at_, end_ - at_);
    end_ -= at_;
    at_ = 0;
  }
  if (buffer_.size() < end_ + size)
    buffer_.resize(end_ + size);
  return buffer_.data() + end_;
}

void parser::commit(std::size_t size) {
  if (!broken_)
    end_ += size;
}

void parser::feed(std::string_view bytes) {
  if (broken_ || bytes.empty())
    return;
  std::memcpy(prepare(bytes.size()), bytes.data(), bytes.size());
  commit(bytes.size());
}

bool parser::find_first() {
  while (buffered() >= header_size) {
    const auto found = rest().find(magic[0]);
    if (found == std::string::npos) {
      at_ = end_;
      return false;
    }
    at_ += found;
    const auto h = decode_header(rest());
    if (h && h->type == first_)
      return true;
    if (buffered() < header_size)
      return false;
    ++at_;
  }
  return false;
}

std::optional<frame_view> parser::next_view() {
  if (broken_)
    return std::nullopt;
  if (searching_ && !find_first())
    return std::nullopt;
  searching_ = false;
  if (buffered() < header_size)
    return std::nullopt;
  const auto bytes = rest();
  const auto h = decode_header(bytes);
  if (!h) {
    broken_ = true;
    return std::nullopt;
  }
  if (bytes.size() < header_size + h->length)
    return std::nullopt;
  at_ += header_size + h->length;
  return frame_view{*h, bytes.substr(header_size, h->length)};
}

std::optional<frame> parser::next() {
  const auto view = next_view();
  if (!view)
    return std::nullopt;
  return frame{view->head, std::string(view->payload)};
}

void parser::desync() {
  searching_ = true;
  broken_ = false;
}

} // namespace banger::guest
