#include "cli/config_view.hpp"

#include "cli/print.hpp"

#include <nlohmann/json.hpp>

namespace banger::cli {

namespace {

const chosen* size_of(const sizes& all, const std::string& key) {
  if (key == "vm_defaults.vcpu")
    return &all.vcpu;
  if (key == "vm_defaults.memory_mib")
    return &all.memory_mib;
  if (key == "vm_defaults.disk_size")
    return &all.disk_bytes;
  return nullptr;
}

} // namespace

std::vector<effective> effective_config(const surroundings& around) {
  const auto& settings = around.config;
  const auto image = settings.default_image_name.value_or(default_image);
  const auto size = choose_sizes(settings.vm_defaults, around.host, around.emulated, image);
  std::vector<effective> all;
  for (const auto& k : config::keys()) {
    const auto name = k.full_name();
    const std::string variable(k.environment);
    const char* overriding =
        variable.empty() || around.env == nullptr ? nullptr : around.env(variable.c_str());
    if (overriding != nullptr && *overriding != '\0')
      all.push_back({name, overriding, variable});
    else if (const auto value = config::value_of(settings, name))
      all.push_back({name, *value, "config.toml"});
    else if (const auto* c = size_of(size, name); c != nullptr)
      all.push_back({name,
                     c == &size.disk_bytes ? short_size(static_cast<std::uint64_t>(c->value))
                                           : std::to_string(c->value),
                     c->why});
    else
      all.push_back({name, std::string(k.otherwise), "builtin"});
  }
  return all;
}

std::string config_page(const surroundings& around) {
  const auto& file = around.config.file;
  std::vector<row> rows = {{"KEY", "VALUE", "FROM"}};
  for (const auto& e : effective_config(around))
    rows.push_back({e.key, plain(e.value), plain(e.from)});
  return "file: " + (file.empty() ? "none" : plain(file.string())) + "\n\n" + table(rows);
}

std::string config_json(const surroundings& around) {
  auto values = nlohmann::ordered_json::object();
  for (const auto& e : effective_config(around))
    values[e.key] = {{"value", e.value}, {"from", e.from}};
  nlohmann::ordered_json all;
  all["file"] = around.config.file.string();
  all["values"] = std::move(values);
  return all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

} // namespace banger::cli
