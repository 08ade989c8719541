// The daemon's ssh key: its files, and OpenSSH's opinion of them.
#include "actors/ssh/keys.hpp"
#include "actors/storage/files.hpp"
#include "actors/storage/process.hpp"
#include "tests/unit/storage_scratch.hpp"

#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <future>
#include <set>
#include <sys/stat.h>

using namespace banger;
using banger::test::scratch;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

// The first test vector of RFC 8032, 7.1.
constexpr std::array<std::uint8_t, 32> known_secret{
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
    0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
constexpr std::array<std::uint8_t, 32> known_open{
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
const ssh::key_pair known{known_secret, known_open};

std::string openssh(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "ssh-keygen");
  storage::command keygen;
  keygen.argv = std::move(arguments);
  auto said = storage::run(keygen);
  INFO((said ? said->out : describe(said.error())));
  REQUIRE(said);
  while (said->out.ends_with('\n'))
    said->out.pop_back();
  return said->out;
}

mode_t mode_of(const fs::path& file) {
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.insert(entry.path().filename());
  return names;
}

} // namespace

TEST_CASE("OpenSSH reads a private key of ours, and finds the public one that we wrote") {
  const scratch s;
  for (const auto& comment : {std::string("banger"), std::string(), std::string(33, 'c')}) {
    const auto file = s / "key";
    REQUIRE(storage::write_file(file, ssh::private_file(known, comment, 0x12345678)));
    const auto line = ssh::public_line(known, comment);
    CHECK(openssh({"-y", "-f", file}) == line);
    CHECK(line.starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"));
    CHECK(*ssh::public_line_of(ssh::private_file(known, comment, 7)) == line);
  }
  REQUIRE(storage::write_file(s / "key.pub", ssh::public_line(known, "banger") + "\n"));
  const auto listed = openssh({"-l", "-f", s / "key.pub"});
  CHECK_THAT(listed, Catch::StartsWith("256 SHA256:") && Contains("banger (ED25519)"));
}

TEST_CASE("OpenSSH signs with a new key and believes the signature") {
  const scratch s;
  const auto key = s / "ssh/id_ed25519";
  const auto line = ssh::ensure_key(key.parent_path());
  REQUIRE(line);
  const auto letter = s / "letter", signers = s / "signers";
  REQUIRE(storage::write_file(letter, "a letter\n"));
  REQUIRE(storage::write_file(signers, "me " + *line + "\n"));
  openssh({"-q", "-Y", "sign", "-f", key, "-n", "file", letter});
  const unique_fd in(::open(letter.c_str(), O_RDONLY | O_CLOEXEC));
  storage::command verify;
  verify.argv = {"ssh-keygen",
                 "-Y",
                 "verify",
                 "-f",
                 signers,
                 "-I",
                 "me",
                 "-n",
                 "file",
                 "-s",
                 letter.string() + ".sig"};
  verify.input = in.get();
  CHECK(storage::run(verify));
}

TEST_CASE("a private key that was changed, cut or locked is refused") {
  const auto good = ssh::private_file(known, "banger", 1);
  REQUIRE(ssh::public_line_of(good));
  for (std::size_t cut = 1; cut < good.size(); ++cut)
    CHECK_FALSE(ssh::public_line_of(std::string_view(good).substr(0, good.size() - cut)));
  for (const auto* other :
       {"", "x", "-----BEGIN OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n"})
    CHECK_FALSE(ssh::public_line_of(other));
  const scratch s;
  openssh({"-q", "-t", "ed25519", "-N", "passphrase", "-f", s / "locked"});
  openssh({"-q", "-t", "ecdsa", "-N", "", "-f", s / "ecdsa"});
  openssh({"-q", "-t", "ed25519", "-N", "", "-C", "theirs", "-f", s / "theirs"});
  CHECK_FALSE(ssh::public_line_of(*storage::read_file(s / "locked", 65536)));
  CHECK_FALSE(ssh::public_line_of(*storage::read_file(s / "ecdsa", 65536)));
  const auto theirs = ssh::public_line_of(*storage::read_file(s / "theirs", 65536));
  REQUIRE(theirs);
  CHECK(*theirs == *ssh::read_public_line(s / "theirs"));
}

TEST_CASE("a key is made once, for its owner alone, and leaves nothing beside it") {
  const scratch s;
  const auto folder = s / "ssh", key = folder / "id_ed25519";
  std::vector<std::future<expected<std::string>>> builders;
  for (int i = 0; i < 8; ++i)
    builders.push_back(std::async(std::launch::async, [&] { return ssh::ensure_key(folder); }));
  std::set<std::string> lines;
  for (auto& one : builders)
    lines.insert(one.get().value());
  CHECK(lines.size() == 1);
  CHECK(mode_of(key) == 0600);
  CHECK(mode_of(folder) == 0700);
  CHECK(names_in(folder) == std::set<std::string>{"id_ed25519", "id_ed25519.pub"});
  CHECK(openssh({"-y", "-f", key}) == *lines.begin());
  fs::remove(key.string() + ".pub");
  CHECK(*ssh::ensure_key(folder) == *lines.begin());
  const scratch elsewhere;
  CHECK(*ssh::ensure_key(elsewhere / "ssh") != *lines.begin());
}

TEST_CASE("a key that was there is kept, and half a key is made whole") {
  const scratch s;
  const auto folder = s / "ssh", key = folder / "id_ed25519";
  fs::create_directory(folder);
  fs::permissions(folder, fs::perms::owner_all);
  openssh({"-q", "-t", "ed25519", "-N", "", "-C", "old", "-f", key});
  const auto before = *storage::read_file(key, 65536);
  CHECK_THAT(*ssh::ensure_key(folder), Contains(" old"));
  CHECK(*storage::read_file(key, 65536) == before);
  // A crash or a power cut between the two files, or before the bytes of one reached the disk.
  fs::remove(key);
  REQUIRE(storage::write_file(key.string() + ".tmp", "half"));
  const auto made = ssh::ensure_key(folder);
  REQUIRE(made);
  CHECK(openssh({"-y", "-f", key}) == *made);
  fs::resize_file(key, 0);
  const auto again = ssh::ensure_key(folder);
  REQUIRE(again);
  CHECK(*again != *made);
  CHECK(openssh({"-y", "-f", key}) == *again);
  CHECK(names_in(folder) == std::set<std::string>{"id_ed25519", "id_ed25519.pub"});
  REQUIRE(storage::write_file(key, "no key"));
  fs::remove(key.string() + ".pub");
  const auto refused = ssh::ensure_key(folder);
  REQUIRE_FALSE(refused);
  CHECK_THAT(describe(refused.error()), Contains("ssh-keygen -y"));
}
