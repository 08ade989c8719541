#include "actors/storage/files.hpp"

#include <array>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace banger::storage {

namespace fs = std::filesystem;
using json = nlohmann::json;

namespace {

constexpr std::uint64_t max_manifest = 1 << 20;
constexpr const char *plain_key = "sha256", *sparse_key = "sha256_sparse";

expected<std::string> digest_of(const fs::path& file, bool sparse, const std::stop_token& stop) {
  return sparse ? sha256_sparse(file, stop) : sha256_file(file, stop);
}

struct size_and_time {
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;
};

expected<size_and_time> look(const fs::path& file) {
  struct stat info {};
  if (::lstat(file.c_str(), &info) != 0)
    return fail_errno("cannot look at " + file.string(), errno);
  if (!S_ISREG(info.st_mode))
    return fail(errc::operation_failed, file.string() + " is not a file");
  return size_and_time{static_cast<std::uint64_t>(info.st_size),
                       std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
}

// A file system that refuses costs the next look another digest.
void set_modified(const fs::path& file, std::int64_t ns) {
  const timespec kept{0, UTIME_OMIT}, modified{ns / 1'000'000'000, ns % 1'000'000'000};
  const timespec times[] = {kept, modified};
  static_cast<void>(::utimensat(AT_FDCWD, file.c_str(), times, AT_SYMLINK_NOFOLLOW));
}

std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

tl::unexpected<failure> damaged(const fs::path& folder, const std::string& what, std::string why) {
  return fail(errc::corrupted, what, std::move(why),
              "delete the folder " + folder.string() + "; it is made again when it is needed");
}

} // namespace

expected<void> write_manifest(const fs::path& folder, const std::string& name, std::uint32_t format,
                              const std::string& subject, const std::vector<new_record>& files,
                              const std::stop_token& stop, const details& more) {
  auto list = json::array();
  for (const auto& [file, known, sparse] : files) {
    if (auto ok = flush(folder / file); !ok)
      return ok;
    const auto seen = look(folder / file);
    if (!seen)
      return tl::unexpected(seen.error());
    expected<std::string> digest = known;
    if (known.empty())
      digest = digest_of(folder / file, sparse, stop);
    if (!digest)
      return tl::unexpected(digest.error());
    list.push_back({{"name", file},
                    {"size", seen->bytes},
                    {"modified_ns", seen->modified_ns},
                    {sparse ? sparse_key : plain_key, *digest}});
  }
  json all = {{"format", format}, {"name", subject}, {"made_at", now_text()}, {"files", list}};
  if (!more.empty())
    all["details"] = more;
  return write_durable_file(folder / name, all.dump(2) + "\n");
}

expected<manifest> read_manifest(const fs::path& folder, const std::string& name) {
  const auto text = read_file(folder / name, max_manifest);
  if (!text && text.error().code != errc::bad_request)
    return tl::unexpected(text.error());
  const auto what = "the manifest " + (folder / name).string() + " is damaged";
  if (!text)
    return damaged(folder, what, text.error().why);
  try {
    const auto all = json::parse(*text);
    manifest m;
    all.at("format").get_to(m.format);
    all.at("name").get_to(m.subject);
    all.at("made_at").get_to(m.made_at);
    for (const auto& item : all.at("files")) {
      file_record r;
      item.at("name").get_to(r.name);
      item.at("size").get_to(r.bytes);
      item.at("modified_ns").get_to(r.modified_ns);
      r.sparse = item.contains(sparse_key);
      item.at(r.sparse ? sparse_key : plain_key).get_to(r.sha256);
      m.files.push_back(std::move(r));
    }
    if (const auto more = all.find("details"); more != all.end())
      more->get_to(m.more);
    return m;
  } catch (const json::exception& e) {
    return damaged(folder, what, e.what());
  }
}

expected<void> check_files(const fs::path& folder, const manifest& m, check_depth depth,
                           const std::stop_token& stop) {
  for (const auto& record : m.files) {
    const auto file = folder / record.name;
    const auto seen = look(file);
    if (!seen)
      return damaged(folder, file.string() + " is missing", seen.error().why);
    if (seen->bytes != record.bytes)
      return damaged(folder, file.string() + " is damaged",
                     "it has " + std::to_string(seen->bytes) + " bytes instead of " +
                         std::to_string(record.bytes));
    // A restored copy of the folder has other times and the same bytes: only these decide, and they
    // are read once.
    if (depth == check_depth::quick && seen->modified_ns == record.modified_ns)
      continue;
    const auto digest = digest_of(file, record.sparse, stop);
    if (!digest)
      return tl::unexpected(digest.error());
    if (*digest != record.sha256)
      return damaged(folder, file.string() + " is damaged", "its content has changed");
    const auto still = look(file);
    if (depth == check_depth::quick && still && still->modified_ns == seen->modified_ns)
      set_modified(file, record.modified_ns);
  }
  return {};
}

} // namespace banger::storage
