// Unpacks an archive of a file system into a folder, as an ordinary user: who owns what, and what
// only root can set, is remembered instead.
#pragma once

#include "actors/image/ext4.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string_view>
#include <sys/types.h>

namespace banger::image {

struct tar_options {
  std::uint64_t most_entries = 2'000'000;
  std::uint64_t most_bytes = std::uint64_t{64} << 30;
  /// True for what is to be left out, by path in the archive ("etc/hostname"); what is in a folder
  /// that is left out must be, too.
  std::function<bool(std::string_view path, bool folder)> unwanted = {};
};

struct tar_content {
  owner_map owners; ///< for `ext4_options`
  std::uint64_t entries = 0, bytes = 0;
};

/// Bytes of an archive, as read(2) gives them: 0 at the end, -1 and errno.
using read_fn = std::function<ssize_t(char* to, std::size_t most)>;

/// Reads the archive to its end into the empty folder `tree`. Nothing is ever written
/// outside of it, whatever the archive says; device nodes, pipes and sockets are left out.
/// `bad_request`: a name leads outside or through a link, comes twice, or there is too much of
/// something; `corrupted`: it cannot be read, or is cut short. `cancelled`.
expected<tar_content> unpack_tar(const read_fn& read, const std::filesystem::path& tree,
                                 const tar_options& options = {}, const std::stop_token& stop = {});
expected<tar_content> unpack_tar(int fd, const std::filesystem::path& tree,
                                 const tar_options& options = {}, const std::stop_token& stop = {});

} // namespace banger::image
