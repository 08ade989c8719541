#include "actors/vm/vm_file.hpp"

#include "actors/storage/files.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

namespace banger::vm {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::uint32_t format = 1;
constexpr std::uint64_t most_bytes = std::uint64_t{64} * 1024;
constexpr std::string_view qcow2_magic = "QFI\xfb";

// The same at every start of an unchanged VM.
record lasting(record r) {
  auto& m = r.machine;
  m.process = {};
  m.hypervisor = m.confinement = m.kernel = m.in_the_way = {};
  m.start_retries = 0;
  m.last_start.clear();
  r.last_error.clear();
  r.touched_ms = r.created_ms;
  r.now = state::stopped;
  return r;
}

json to_json(const record& r) {
  const auto kept = lasting(r);
  return {{"format", format},
          {"id", kept.id.str()},
          {"name", kept.name.str()},
          {"image", kept.wanted.image.str()},
          {"created_ms", kept.created_ms},
          {"spec", json::parse(spec_to_json(kept.wanted))},
          {"runtime", json::parse(runtime_to_json(kept))}};
}

tl::unexpected<failure> damaged(const fs::path& file, std::string why) {
  return fail(errc::corrupted, file.string() + " cannot be read", std::move(why));
}

expected<vm_file> parse(const json& in, const fs::path& file) {
  if (in.at("format").get<std::uint32_t>() != format)
    return damaged(file, "it was written by a newer banger");
  const auto id = vm_id::parse(in.at("id").get<std::string>());
  const auto name = vm_name::parse(in.at("name").get<std::string>());
  if (!id || !name)
    return damaged(file, describe(id ? name.error() : id.error()));
  if (id->str() != file.parent_path().filename())
    return damaged(file, "it was written for the VM " + id->str());
  auto wanted = spec_from_json(in.at("image").get<std::string>(), in.at("spec").dump());
  if (!wanted)
    return damaged(file, describe(wanted.error()));
  const auto created = in.at("created_ms").get<std::uint64_t>();
  vm_file read{{*id, *name, std::move(*wanted), state::stopped, {}, {}, created, {}, created},
               in.at("boot_id").get<std::string>()};
  if (auto ok = runtime_from_json(in.at("runtime").dump(), read.vm); !ok)
    return damaged(file, describe(ok.error()));
  read.vm = lasting(std::move(read.vm));
  return read;
}

} // namespace

expected<vm_file> read_vm_file(const fs::path& folder) {
  const auto file = folder / vm_file_name;
  const auto text = storage::read_file(file, most_bytes);
  if (!text)
    return tl::unexpected(text.error());
  try {
    return parse(json::parse(*text), file);
  } catch (const json::exception& why) {
    return damaged(file, text->empty() ? "it is empty" : why.what());
  }
}

expected<void> write_vm_file(const record& r, const fs::path& folder, const std::string& boot_id,
                             bool durable) {
  auto content = to_json(r);
  if (const auto there = read_vm_file(folder); there && to_json(there->vm) == content)
    return {};
  content["boot_id"] = boot_id;
  const auto text = content.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  return durable ? storage::write_durable_file(folder / vm_file_name, text)
                 : storage::write_file(folder / vm_file_name, text);
}

expected<void> check_disks(const record& r, const fs::path& folder) {
  const auto kind = storage::parse_root_disk_kind(r.machine.root_disk);
  if (!kind)
    return fail(errc::corrupted, "its root disk was not made");
  const auto root = folder / storage::file_name(*kind);
  for (const auto& disk : {root, folder / "work.img"}) {
    std::error_code why;
    const auto bytes = fs::file_size(disk, why);
    if (why)
      return fail(errc::corrupted, "its disk " + disk.string() + " cannot be read", why.message());
    if (bytes == 0)
      return fail(errc::corrupted, "its disk " + disk.string() + " is empty",
                  "it had not come to the host's disk");
  }
  if (*kind != storage::root_disk_kind::qcow2)
    return {};
  std::string magic(qcow2_magic.size(), '\0');
  std::ifstream(root, std::ios::binary)
      .read(magic.data(), static_cast<std::streamsize>(magic.size()));
  if (magic == qcow2_magic)
    return {};
  return fail(errc::corrupted, "its disk " + root.string() + " is no qcow2 file",
              "it had not come to the host's disk");
}

} // namespace banger::vm
