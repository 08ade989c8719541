#include "actors/ssh/openssh_key.hpp"

#include <algorithm>
#include <nettle/base64.h>
#include <optional>
#include <vector>

namespace banger::ssh {

namespace {

constexpr std::string_view kind = "ssh-ed25519";
constexpr std::string_view magic{"openssh-key-v1\0", 15};
constexpr std::string_view head = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
constexpr std::string_view foot = "-----END OPENSSH PRIVATE KEY-----\n";
constexpr std::size_t line_width = 70, block = 8;

std::string number(std::uint32_t value) {
  std::string bytes;
  for (const int shift : {24, 16, 8, 0})
    bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

std::string text(std::string_view bytes) {
  return number(static_cast<std::uint32_t>(bytes.size())).append(bytes);
}

std::string_view view(const std::array<std::uint8_t, 32>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string public_blob(std::string_view open) { return text(kind) + text(open); }

std::string to_base64(std::string_view bytes) {
  std::string encoded(BASE64_ENCODE_RAW_LENGTH(bytes.size()), '\0');
  ::nettle_base64_encode_raw(encoded.data(), bytes.size(),
                             reinterpret_cast<const std::uint8_t*>(bytes.data()));
  return encoded;
}

std::optional<std::string> from_base64(std::string_view encoded) {
  base64_decode_ctx context{};
  ::nettle_base64_decode_init(&context);
  std::string bytes(BASE64_DECODE_LENGTH(encoded.size()), '\0');
  std::size_t size = bytes.size();
  if (::nettle_base64_decode_update(&context, &size, reinterpret_cast<std::uint8_t*>(bytes.data()),
                                    encoded.size(), encoded.data()) != 1 ||
      ::nettle_base64_decode_final(&context) != 1)
    return std::nullopt;
  bytes.resize(size);
  return bytes;
}

std::string public_line(std::string_view open, std::string_view comment) {
  auto line = std::string(kind) + " " + to_base64(public_blob(open));
  return comment.empty() ? line : line.append(" ").append(comment);
}

/// Reads fields from the front; after one that is not there, all that follow are empty.
class fields {
public:
  explicit fields(std::string_view bytes) : rest_(bytes) {}
  std::string_view raw(std::size_t size) {
    sound_ = sound_ && rest_.size() >= size;
    if (!sound_)
      return {};
    const auto part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }
  std::uint32_t next_number() {
    std::uint32_t value = 0;
    for (const char c : raw(4))
      value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view next_text() { return raw(next_number()); }
  bool sound() const { return sound_; }
  std::string_view rest() const { return rest_; }

private:
  std::string_view rest_;
  bool sound_ = true;
};

struct opened {
  std::string open, comment;
};

std::optional<opened> read_secrets(std::string_view bytes, std::string_view open) {
  fields f(bytes);
  const auto check = f.next_number();
  const bool same_check = f.next_number() == check;
  const bool same_kind = f.next_text() == kind;
  const bool same_open = f.next_text() == open;
  const auto both = f.next_text();
  const auto comment = f.next_text();
  if (!f.sound() || !same_check || !same_kind || !same_open || both.size() != 64 ||
      both.substr(32) != open || f.rest().size() >= block)
    return std::nullopt;
  return opened{std::string(open), std::string(comment)};
}

std::optional<opened> read_binary(std::string_view bytes) {
  fields f(bytes);
  const bool ours = f.raw(magic.size()) == magic && f.next_text() == "none" &&
                    f.next_text() == "none" && f.next_text().empty() && f.next_number() == 1;
  const auto blob = f.next_text();
  const auto secrets = f.next_text();
  fields in_blob(blob);
  const bool same_kind = in_blob.next_text() == kind;
  const auto open = in_blob.next_text();
  if (!f.sound() || !ours || !same_kind || !in_blob.sound() || open.size() != 32)
    return std::nullopt;
  return read_secrets(secrets, open);
}

} // namespace

std::string public_line(const key_pair& key, std::string_view comment) {
  return public_line(view(key.open), comment);
}

std::string private_file(const key_pair& key, std::string_view comment, std::uint32_t check) {
  const auto open = view(key.open);
  auto secrets = number(check) + number(check) + text(kind) + text(open) +
                 text(std::string(view(key.secret)).append(open)) + text(comment);
  for (char padding = 1; secrets.size() % block != 0; ++padding)
    secrets += padding;
  const auto encoded = to_base64(std::string(magic) + text("none") + text("none") + text("") +
                                 number(1) + text(public_blob(open)) + text(secrets));
  std::string file(head);
  for (std::size_t at = 0; at < encoded.size(); at += line_width)
    file.append(encoded, at, line_width).append("\n");
  return file.append(foot);
}

expected<std::string> public_line_of(std::string_view private_file) {
  const auto refuse = [](const char* why) {
    return fail(errc::corrupted, "cannot read the private key", why);
  };
  if (!private_file.starts_with(head) || !private_file.ends_with(foot))
    return refuse("it is no file of OpenSSH's own format");
  private_file.remove_prefix(head.size());
  private_file.remove_suffix(foot.size());
  const auto bytes = from_base64(private_file);
  const auto key = bytes ? read_binary(*bytes) : std::nullopt;
  if (!key)
    return refuse("it is no Ed25519 key without a passphrase");
  return public_line(key->open, key->comment);
}

} // namespace banger::ssh
