// `vm set`, `vm rename`, `vm touch`: what changes a VM that is there.
#include "cli/help.hpp"
#include "cli/options_command.hpp"
#include "cli/page.hpp"

namespace banger::cli {

namespace {

// A flag and its opposite; neither leaves things as they are.
struct either {
  bool yes = false, no = false;

  expected<std::int8_t> choice(const std::string& flag) const {
    if (yes && no)
      return fail(errc::bad_request, "--" + flag + " and --no-" + flag + " contradict each other");
    return static_cast<std::int8_t>(yes ? 1 : no ? 0 : -1);
  }
};

struct set_words {
  std::string vcpu, memory, disk;
  either nat, autostart, nested;

  bool any() const {
    return !vcpu.empty() || !memory.empty() || !disk.empty() || nat.yes || nat.no ||
           autostart.yes || autostart.no || nested.yes || nested.no;
  }
};

expected<messages::set_request> check(const set_words& given, const surroundings& around) {
  messages::set_request to;
  if (!given.any())
    return fail(errc::bad_request, "nothing is to be changed", {},
                "name what: --vcpu, --memory, --disk-size, --nat, --nested, --autostart");
  if (!given.vcpu.empty()) {
    auto vcpu = vcpu_value(given.vcpu, around.host);
    if (!vcpu)
      return tl::unexpected(vcpu.error());
    to.vcpu = *vcpu;
  }
  if (!given.memory.empty()) {
    auto mib = memory_value(given.memory, around.host);
    if (!mib)
      return tl::unexpected(mib.error());
    to.memory_mib = *mib;
  }
  if (!given.disk.empty()) {
    auto bytes = disk_value(given.disk);
    if (!bytes)
      return tl::unexpected(bytes.error());
    to.disk_bytes = *bytes;
  }
  const auto put = [](std::int8_t& field, const either& flag, const char* name) {
    const auto choice = flag.choice(name);
    field = choice.value_or(field);
    return choice.map([](std::int8_t) {});
  };
  if (auto ok = put(to.nat, given.nat, "nat"); !ok)
    return tl::unexpected(ok.error());
  if (auto ok = put(to.autostart, given.autostart, "autostart"); !ok)
    return tl::unexpected(ok.error());
  if (auto ok = put(to.nested, given.nested, "nested"); !ok)
    return tl::unexpected(ok.error());
  return to;
}

} // namespace

expected<command> parse_set(const std::vector<std::string>& words, const surroundings& around) {
  page verb("vm set", "VM... [FLAGS]", "Change CPUs, memory, disk, network or autostart of VMs.",
            help::set_examples);
  set_options options;
  set_words given;
  verb.list("VM", options.refs, "name, id, or the beginning of either")->required();
  verb.text("--vcpu", given.vcpu, "virtual CPUs")->type_name("N");
  verb.text("--memory", given.memory, "MiB, or a size such as 2G")->type_name("SIZE");
  verb.text("--disk-size", given.disk, "size of the work disk on /root; it only grows")
      ->type_name("SIZE");
  verb.flag("--nat", given.nat.yes, "let the VM reach the network outside");
  verb.flag("--no-nat", given.nat.no, "no more");
  verb.flag("--nested", given.nested.yes, "let the VM run KVM itself");
  verb.flag("--no-nested", given.nested.no, "no more");
  verb.flag("--autostart", given.autostart.yes,
            "start it again after the host was, if it ran when that went down");
  verb.flag("--no-autostart", given.autostart.no, "no more");
  verb.flag("-q,--quiet", options.quiet, "no progress");
  return read(verb, words, [&]() -> expected<command> {
    auto to = check(given, around);
    if (!to)
      return tl::unexpected(to.error());
    options.request = std::move(*to);
    return options;
  });
}

expected<command> parse_rename(const std::vector<std::string>& words, const surroundings&) {
  page verb("vm rename", "VM NAME", "Give a VM another name.", help::rename_examples);
  set_options options;
  std::string ref;
  verb.text("VM", ref, "name, id, or the beginning of either")->required();
  verb.text("NAME", options.request.name, "the new name")->required();
  return read(verb, words, [&]() -> expected<command> {
    if (auto ok = vm_name_grammar::check(options.request.name); !ok)
      return tl::unexpected(ok.error());
    options.refs = {ref};
    return options;
  });
}

expected<command> parse_touch(const std::vector<std::string>& words, const surroundings&) {
  page verb("vm touch", "VM...", "Count VMs as in use, so that they are not stopped as stale.",
            help::touch_examples);
  touch_options options;
  verb.list("VM", options.refs, "name, id, or the beginning of either")->required();
  return read(verb, words, [&]() -> expected<command> { return options; });
}

} // namespace banger::cli
