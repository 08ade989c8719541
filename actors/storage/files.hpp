// Files on the host, made so that they are there whole or not at all.
#pragma once

#include "messages/base/error.hpp"
#include "messages/base/unique_fd.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace banger::storage {

/// What long work tells while it runs: a stable stage id, and a detail for people.
using progress_fn = std::function<void(std::string_view stage, std::string_view detail)>;

/// The whole file. `not_found`; `bad_request` when it holds more than `limit` bytes.
expected<std::string> read_file(const std::filesystem::path& file, std::uint64_t limit);

/// Makes or replaces the file by a rename. On an error nothing is left behind.
expected<void> write_file(const std::filesystem::path& file, std::string_view content,
                          std::uint32_t mode = 0600);

/// Waits until the content of a file, or the names in a folder, have come to the disk.
expected<void> flush(const std::filesystem::path& file_or_folder);

/// As `write_file`, and on the disk when it answers; a loss of power leaves the old content or the
/// new one.
expected<void> write_durable_file(const std::filesystem::path& file, std::string_view content,
                                  std::uint32_t mode = 0600);

/// SHA-256 as 64 hexadecimal digits.
std::string sha256(std::string_view bytes);
expected<std::string> sha256_file(const std::filesystem::path& file,
                                  const std::stop_token& stop = {});

/// As `sha256_file`, in the time that the data takes and not the holes: of the blocks of 64 KiB
/// that are not all zero, each behind its offset, and of the size. Where the holes are does not
/// matter.
expected<std::string> sha256_sparse(const std::filesystem::path& file,
                                    const std::stop_token& stop = {});

/// A file or folder on its way: removed when this goes out of scope, unless it was published or
/// kept.
class scrap {
public:
  explicit scrap(std::filesystem::path path) : path_(std::move(path)) {}
  ~scrap();
  scrap(const scrap&) = delete;
  scrap& operator=(const scrap&) = delete;
  const std::filesystem::path& path() const { return path_; }
  void keep() { path_.clear(); }
  /// Renames to `target`, replacing a file there; after that there is nothing left to remove.
  expected<void> publish(const std::filesystem::path& target);

private:
  std::filesystem::path path_;
};

/// One builder of something in a folder, among all threads and processes: holds FILE locked while
/// it lives. A builder that is killed lets go of it. Waits for its turn, until `stop`; `timed_out`,
/// at once where `patience` is 0.
expected<unique_fd> lock_file(const std::filesystem::path& file, const std::stop_token& stop = {},
                              std::chrono::milliseconds patience = std::chrono::minutes(15));

/// A file as a manifest knows it. `modified_ns` catches a change that kept the size.
struct file_record {
  std::string name; ///< relative to the manifest's folder
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;
  std::string sha256;
  bool sparse = false; ///< the digest is `sha256_sparse`
};

/// What else its maker wants to find again: lists of words by name.
using details = std::map<std::string, std::vector<std::string>>;

/// What was published together, written beside it as JSON.
struct manifest {
  std::uint32_t format = 0;
  std::string subject; ///< "tiny", a kernel package with its version, ...
  std::string made_at; ///< 2024-05-01T12:00:00Z
  std::vector<file_record> files;
  details more;
};

enum class check_depth : std::uint8_t {
  quick,  ///< sizes and modification times
  digest, ///< and every byte
};

/// A file of a manifest to be; without a digest it is read for it.
struct new_record {
  std::string name;
  std::string sha256 = {};
  bool sparse = false; ///< the digest is, or shall be, `sha256_sparse`
};

/// Looks at the files, brings them to the disk and writes FOLDER/`name`, in this order: what a
/// manifest says is there after a power cut too.
expected<void> write_manifest(const std::filesystem::path& folder, const std::string& name,
                              std::uint32_t format, const std::string& subject,
                              const std::vector<new_record>& files,
                              const std::stop_token& stop = {}, const details& more = {});

/// `not_found`: no manifest. `corrupted`: it cannot be read; the remedy names what to delete.
expected<manifest> read_manifest(const std::filesystem::path& folder, const std::string& name);

/// `corrupted` names the first file that is not what it was, and how to have it made again.
expected<void> check_files(const std::filesystem::path& folder, const manifest& m,
                           check_depth depth, const std::stop_token& stop = {});

} // namespace banger::storage
