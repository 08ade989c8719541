#include "messages/base/duration.hpp"
#include "messages/config/config.hpp"

namespace banger::config {

const std::vector<key>& keys() {
  static const std::vector<key> all = {
      {"", "log_level", "debug|info|warn|error", "info", "what the daemon writes into its log",
       "\"debug\"", "BANGER_LOG_LEVEL"},
      {"", "ssh_key_path", "path", "a key that the daemon makes",
       "ed25519 key whose public half (FILE.pub) may log in to VMs", "\"~/.ssh/id_ed25519\"", ""},
      {"", "default_image_name", "image", builtin_image, "image of a VM without --image",
       "\"tiny\"", ""},
      {"", "default_dns", "address", "the host's own resolver",
       "name server of VMs with --nat, an IPv4 address", "\"1.1.1.1\"", ""},
      {"", "idle_exit", "duration", "15m",
       "the daemon leaves after so long without clients and running VMs; 0: never", "\"1h30m\"",
       "BANGER_IDLE_EXIT"},
      {"", "auto_stop_stale_after", "duration", "0",
       "a VM that nobody ran a command in for so long is stopped; 0: never", "\"24h\"", ""},
      {"", "boot_wait", "duration", "5m",
       "--wait boot waits so long for the image's init, then fails; the VM runs on", "\"15m\"", ""},
      {"", "root_disk", "auto|reflink|qcow2|overlay", "auto", "how VMs share the file of an image",
       "\"qcow2\"", "BANGER_ROOT_DISK"},
      {"", "kernel_package", "path", "fetched by apt",
       "a linux-image .deb at hand, where apt cannot fetch one",
       "\"/srv/linux-image-cloud-amd64.deb\"", "BANGER_KERNEL_PACKAGE"},
      {"", "qemu_bin", "path", "qemu-system-x86_64 in PATH", "the QEMU that runs VMs",
       "\"/opt/qemu/bin/qemu-system-x86_64\"", "BANGER_QEMU"},
      {"vm_defaults", "vcpu", "integer", "a quarter of the host's CPUs, at most 4",
       "virtual CPUs of a VM without --vcpu; 0: as if left out", "2", ""},
      {"vm_defaults", "memory_mib", "integer",
       "an eighth of the host's memory, at most 8192; tiny: 256",
       "memory of a VM without --memory, in MiB; 0: as if left out", "2048", ""},
      {"vm_defaults", "disk_size", "size", "8G",
       "work disk of a VM without --disk-size; 0: as if left out", "\"20G\"", ""},
      {"network", "mode", "auto|user|bridge", "auto",
       "bridge: VMs have addresses on the host; user: each is behind its hypervisor; auto: bridge "
       "where the root helper runs",
       "\"bridge\"", ""},
      {"network", "bridge", "bridge", "br-fc", "the bridge of VMs: br-fc, or br-fc- and a name",
       "\"br-fc-dev\"", ""},
      {"network", "subnet", "network", "one that no route of the host is in the way of",
       "addresses of VMs on the bridge; private", "\"10.213.0.0/20\"", ""},
      {"network", "helper", "path", builtin_helper, "folder of the root helper's sockets",
       "\"/run/banger\"", "BANGER_NETWORK_HELPER"},
      {"network", "dns_port", "integer", "42069",
       "port on 127.0.0.1 that answers for NAME.vm, where VMs are on the bridge; below 1024 "
       "systemd-resolved is not told of it",
       "53530", ""},
  };
  return all;
}

const std::vector<foreign_key>& foreign_keys() {
  constexpr const char* firecracker = "VMs run under QEMU";
  constexpr const char* polled = "nothing is measured in the background";
  static const std::vector<foreign_key> all = {
      {"firecracker_bin", firecracker},
      {"jailer_bin", firecracker},
      {"jailer_enabled", firecracker},
      {"jailer_chroot_base", firecracker},
      {"stats_poll_interval", polled},
      {"metrics_poll_interval", polled},
      {"bridge_name", "it is network.bridge here"},
      {"bridge_ip", "the bridge has the first address of network.subnet"},
      {"cidr", "it is network.subnet here"},
      {"tap_pool_size", "a tap is made in a millisecond; there is no pool"},
      {"file_sync", "no files of yours are copied into VMs; send them through standard input"},
      {"vm_defaults.system_overlay_size", "the root disk is as large as its image"},
      {"web_listen_addr", "there is no web interface"},
  };
  return all;
}

namespace {

template <class T>
std::optional<std::string> text(const std::optional<T>& value) {
  if (!value)
    return {};
  if constexpr (std::is_same_v<T, std::filesystem::path>)
    return value->string();
  else if constexpr (std::is_same_v<T, std::chrono::milliseconds>)
    return format_duration(*value);
  else if constexpr (std::is_integral_v<T>)
    return std::to_string(*value);
  else
    return *value;
}

std::optional<std::string> size_text(const std::optional<std::uint64_t>& bytes) {
  if (!bytes)
    return {};
  constexpr std::string_view units = "KMGT";
  auto number = *bytes;
  std::string unit;
  for (std::size_t i = 0; i < units.size() && number % 1024 == 0; ++i) {
    number /= 1024;
    unit = units[i];
  }
  return std::to_string(number) + unit;
}

} // namespace

std::optional<std::string> value_of(const settings& s, std::string_view full_name) {
  if (full_name == "log_level")
    return s.log_level;
  if (full_name == "ssh_key_path")
    return text(s.ssh_key_path);
  if (full_name == "default_image_name")
    return s.default_image_name;
  if (full_name == "default_dns")
    return s.default_dns;
  if (full_name == "idle_exit")
    return text(s.idle_exit);
  if (full_name == "auto_stop_stale_after")
    return text(s.auto_stop_stale_after);
  if (full_name == "boot_wait")
    return text(s.boot_wait);
  if (full_name == "root_disk")
    return s.root_disk;
  if (full_name == "kernel_package")
    return text(s.kernel_package);
  if (full_name == "qemu_bin")
    return text(s.qemu_bin);
  if (full_name == "vm_defaults.vcpu")
    return text(s.vm_defaults.vcpu);
  if (full_name == "vm_defaults.memory_mib")
    return text(s.vm_defaults.memory_mib);
  if (full_name == "network.mode")
    return s.network.mode;
  if (full_name == "network.bridge")
    return s.network.bridge;
  if (full_name == "network.subnet")
    return s.network.subnet;
  if (full_name == "network.helper")
    return text(s.network.helper);
  if (full_name == "network.dns_port")
    return text(s.network.dns_port);
  if (full_name == "vm_defaults.disk_size")
    return size_text(s.vm_defaults.disk_bytes);
  return {};
}

} // namespace banger::config
