#include "actors/ssh/keys.hpp"

#include "actors/storage/files.hpp"
#include "messages/base/late_library.hpp"
#include "messages/base/paths.hpp"

#include <cerrno>
#include <cstring>
#include <nettle/eddsa.h>
#include <sys/random.h>

namespace banger::ssh {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_bytes = 16384;
constexpr std::string_view comment = "banger";

// Late: it brings GMP, and is called once in the life of a state folder.
struct libhogweed : late_library {
  libhogweed() : late_library("libhogweed.so.6") {}
  BANGER_LATE(nettle_, ed25519_sha512_public_key)
};

template <class T>
expected<void> fill(T& bytes) {
  if (::getrandom(&bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes))
    return fail_errno("cannot get random bytes for a key", errno);
  return {};
}

fs::path public_file(const fs::path& key) { return key.string() + ".pub"; }

// The private half comes into its place last: where it is, both are.
expected<std::string> make_files(const fs::path& key) {
  auto pair = make_key();
  std::uint32_t check = 0;
  if (auto ok = fill(check); !ok)
    return tl::unexpected(ok.error());
  if (!pair)
    return tl::unexpected(pair.error());
  auto line = public_line(*pair, comment);
  auto secret = private_file(*pair, comment, check);
  auto written = storage::write_durable_file(public_file(key), line + "\n", 0644);
  if (written)
    written = storage::write_durable_file(key, secret, 0600);
  ::explicit_bzero(pair->secret.data(), pair->secret.size());
  ::explicit_bzero(secret.data(), secret.size());
  if (!written)
    return tl::unexpected(written.error());
  return line;
}

// A public half that was removed follows from the private one.
expected<std::string> restore_public(const fs::path& key) {
  auto file = storage::read_file(key, most_bytes);
  if (!file)
    return tl::unexpected(file.error());
  auto line = public_line_of(*file);
  ::explicit_bzero(file->data(), file->size());
  if (!line)
    return fail(errc::corrupted, "cannot use the ssh key " + key.string(),
                "it has no .pub file, and is no key that the daemon made",
                "make that file with `ssh-keygen -y -f " + key.string() + "`, or remove the key");
  if (auto ok = storage::write_durable_file(public_file(key), *line + "\n", 0644); !ok)
    return tl::unexpected(ok.error());
  return line;
}

// An empty file is what a crash left. One that cannot be looked at is there.
bool is_there(const fs::path& file) {
  std::error_code why;
  const auto bytes = fs::file_size(file, why);
  return why ? why != std::errc::no_such_file_or_directory : bytes > 0;
}

} // namespace

expected<key_pair> make_key() {
  static const libhogweed hogweed;
  if (auto ok = hogweed.usable(); !ok) {
    ok.error().remedy += " (Debian: libhogweed6, or libhogweed6t64)";
    return tl::unexpected(ok.error());
  }
  key_pair pair;
  if (auto ok = fill(pair.secret); !ok)
    return tl::unexpected(ok.error());
  hogweed.ed25519_sha512_public_key(pair.open.data(), pair.secret.data());
  return pair;
}

expected<std::string> read_public_line(const fs::path& key) {
  auto line = storage::read_file(public_file(key), most_bytes);
  if (line && line->ends_with('\n'))
    line->pop_back();
  return line;
}

expected<std::string> ensure_key(const fs::path& folder) {
  if (auto ok = secure_folder(folder); !ok)
    return tl::unexpected(ok.error());
  const auto key = folder / "id_ed25519";
  if (is_there(key) && is_there(public_file(key)))
    return read_public_line(key);
  const auto lock = storage::lock_file(folder.string() + ".lock");
  if (!lock)
    return tl::unexpected(lock.error());
  if (!is_there(key))
    return make_files(key);
  return is_there(public_file(key)) ? read_public_line(key) : restore_public(key);
}

} // namespace banger::ssh
