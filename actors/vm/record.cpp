#include "actors/vm/record.hpp"

#include <nlohmann/json.hpp>

namespace banger::vm {

using nlohmann::json;

namespace {

template <class F>
auto reading(const char* column, F read) -> decltype(read()) {
  try {
    return read();
  } catch (const json::exception& why) {
    return fail(errc::corrupted, std::string("the database has a damaged ") + column, why.what());
  }
}

} // namespace

std::string_view to_string(state s) {
  switch (s) {
  case state::created: return "created";
  case state::running: return "running";
  case state::stopped: return "stopped";
  case state::error: return "error";
  }
  return "error";
}

expected<state> parse_state(std::string_view text) {
  for (auto s : {state::created, state::running, state::stopped, state::error})
    if (to_string(s) == text)
      return s;
  return fail(errc::corrupted, "the database has a damaged state",
              "'" + std::string(text.substr(0, 32)) + "'");
}

std::string spec_to_json(const spec& s) {
  return json{{"vcpu", s.vcpu},    {"memory_mib", s.memory_mib}, {"disk_bytes", s.disk_bytes},
              {"nat", s.nat},      {"ephemeral", s.ephemeral},   {"autostart", s.autostart},
              {"nested", s.nested}}
      .dump();
}

expected<spec> spec_from_json(std::string_view image, std::string_view text) {
  auto name = image_name::parse(image);
  if (!name)
    return tl::unexpected(name.error());
  return reading("spec", [&]() -> expected<spec> {
    const auto in = json::parse(text);
    return spec{*name,
                in.at("vcpu").get<std::uint32_t>(),
                in.at("memory_mib").get<std::uint64_t>(),
                in.at("disk_bytes").get<std::uint64_t>(),
                in.at("nat").get<bool>(),
                in.at("ephemeral").get<bool>(),
                in.value("autostart", false), // rows of 0.1 have none
                in.value("nested", false)};   // the same
  });
}

std::string runtime_to_json(const record& r) {
  const auto& m = r.machine;
  auto stages = json::array();
  for (const auto& s : m.last_start)
    stages.push_back({{"name", s.name}, {"micros", s.micros}, {"ours", s.ours}});
  return json{{"pid", m.process.pid},         {"start_time", m.process.start_time},
              {"boot_id", m.process.boot_id}, {"root_disk", m.root_disk},
              {"image_file", m.image_file},   {"init", m.init},
              {"hypervisor", m.hypervisor},   {"confinement", m.confinement},
              {"kernel", m.kernel},           {"start_retries", m.start_retries},
              {"bridge", m.bridge},           {"address", m.address},
              {"in_the_way", m.in_the_way},   {"last_start", stages},
              {"last_error", r.last_error},   {"machine_id", r.machine_id},
              {"touched_ms", r.touched_ms}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

expected<void> runtime_from_json(std::string_view text, record& into) {
  return reading("runtime", [&]() -> expected<void> {
    const auto in = json::parse(text);
    auto& m = into.machine;
    m.process = {in.at("pid").get<std::uint32_t>(), in.at("start_time").get<std::uint64_t>(),
                 in.at("boot_id").get<std::string>()};
    m.root_disk = in.at("root_disk").get<std::string>();
    m.image_file = in.at("image_file").get<std::string>();
    m.init = in.value("init", ""); // rows of 0.1 have none
    m.hypervisor = in.at("hypervisor").get<std::string>();
    m.confinement = in.at("confinement").get<std::string>();
    m.kernel = in.at("kernel").get<std::string>();
    m.start_retries = in.at("start_retries").get<std::uint32_t>();
    m.bridge = in.value("bridge", "");   // rows of 0.1 have none
    m.address = in.value("address", ""); // the same
    m.in_the_way = in.value("in_the_way", "");
    for (const auto& s : in.at("last_start"))
      m.last_start.push_back({s.at("name").get<std::string>(), s.at("micros").get<std::uint64_t>(),
                              s.at("ours").get<bool>()});
    into.last_error = in.at("last_error").get<std::string>();
    into.machine_id = in.at("machine_id").get<std::string>();
    into.touched_ms = in.value("touched_ms", into.created_ms); // the same
    return {};
  });
}

} // namespace banger::vm
