#include "cli/sizing_words.hpp"

namespace banger::cli {

namespace {

tl::unexpected<failure> named(const char* flag, failure f) {
  f.what = std::string(flag) + ": " + f.what;
  return tl::unexpected(std::move(f));
}

template <class T, class Value>
expected<void> put(T& field, const std::string& word, Value value) {
  if (word.empty())
    return {};
  auto read = value();
  if (!read)
    return tl::unexpected(read.error());
  field = *read;
  return {};
}

} // namespace

void sizing_words::offer(page& verb, const surroundings& around) {
  image_ = around.config.default_image_name.value_or(default_image);
  const auto size = choose_sizes(around.config.vm_defaults, around.host, around.emulated, image_);
  const auto otherwise = [&](const chosen& c, const std::string& value) {
    // A manual is about any host: it has the rule only.
    return " (default " + (around.host.cpus != 0 ? value + ": " : "") + c.why + ")";
  };
  verb.text("--name", name_, "name of the VM; made up if left out")->type_name("NAME");
  verb.text("--image", image_,
            "image to boot (default " + image_ +
                (around.config.default_image_name ? ": config.toml)" : ")"))
      ->type_name("IMAGE");
  verb.text("--vcpu", vcpu_, "virtual CPUs" + otherwise(size.vcpu, std::to_string(size.vcpu.value)))
      ->type_name("N");
  verb.text("--memory", memory_,
            "MiB, or a size such as 2G" +
                otherwise(size.memory_mib, std::to_string(size.memory_mib.value)))
      ->type_name("SIZE");
  const auto disk_bytes = static_cast<std::uint64_t>(size.disk_bytes.value);
  verb.text("--disk-size", disk_,
            "size of the work disk on /root (default " + short_size(disk_bytes) + ": " +
                size.disk_bytes.why + ")")
      ->type_name("SIZE");
  verb.flag("--nat", nat_, "let the VM reach the network outside");
  verb.flag("--nested", nested_, "let the VM run KVM itself; emulated VMs: one vCPU, slow");
}

expected<messages::create_request> sizing_words::check(const surroundings& around) const {
  const auto& host = around.host;
  const auto size = choose_sizes(around.config.vm_defaults, host, around.emulated, image_);
  messages::create_request request{name_,
                                   image_,
                                   size.vcpu.value,
                                   size.memory_mib.value,
                                   static_cast<std::uint64_t>(size.disk_bytes.value),
                                   nat_,
                                   false};
  request.nested = nested_;
  if (nested_ && around.emulated && size.vcpu.from != layer::config)
    request.vcpu = 1;
  if (auto ok = name_.empty() ? expected<void>{} : vm_name_grammar::check(name_); !ok)
    return named("--name", ok.error());
  if (auto ok = image_name_grammar::check(image_); !ok)
    return named("--image", ok.error());
  if (auto ok = put(request.vcpu, vcpu_, [&] { return vcpu_value(vcpu_, host); }); !ok)
    return tl::unexpected(ok.error());
  if (auto ok = put(request.memory_mib, memory_, [&] { return memory_value(memory_, host); }); !ok)
    return tl::unexpected(ok.error());
  if (auto ok = put(request.disk_bytes, disk_, [&] { return disk_value(disk_); }); !ok)
    return tl::unexpected(ok.error());
  if (auto ok = check_file(around); !ok)
    return tl::unexpected(ok.error());
  return request;
}

// What the file asks for may not fit this host; only we know both.
expected<void> sizing_words::check_file(const surroundings& around) const {
  const auto& file = around.config.vm_defaults;
  const auto of_file = [&](const char* key, const char* flag, const failure& f) {
    return fail(f.code, around.config.file.string() + ": " + key + ": " + f.what, f.why,
                std::string("correct it, or give ") + flag);
  };
  if (vcpu_.empty() && file.vcpu)
    if (auto ok = check_vcpu(*file.vcpu, around.host); !ok)
      return of_file("vm_defaults.vcpu", "--vcpu", ok.error());
  if (memory_.empty() && file.memory_mib)
    if (auto ok = check_memory_mib(*file.memory_mib, around.host); !ok)
      return of_file("vm_defaults.memory_mib", "--memory", ok.error());
  return {};
}

} // namespace banger::cli
