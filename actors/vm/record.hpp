// What is kept of a VM, and what is known of its machine. Plain data without CAF; written by the
// VM's actor only.
#pragma once

#include "actors/hypervisor/machine.hpp"
#include "actors/storage/disks.hpp"
#include "messages/base/names.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace banger::vm {

/// There is no "unknown": what a restart finds is turned into one of these (recovery.hpp).
enum class state : std::uint8_t { created, running, stopped, error };
std::string_view to_string(state s);
expected<state> parse_state(std::string_view text);

/// What the user asked for.
struct spec {
  image_name image;
  std::uint32_t vcpu = 1;
  std::uint64_t memory_mib = 256;
  std::uint64_t disk_bytes = 8 * GiB;
  bool nat = false;
  bool ephemeral = false;
  bool autostart = false; ///< started again when the host was, if it ran then
  bool nested = false;    ///< the guest may run KVM
};

struct stage {
  std::string name;
  std::uint64_t micros = 0;
  bool ours = true; ///< false: the time is the hypervisor's or the guest's
};

/// What was found or made on the host. Survives a stop where it describes disks; `process` is empty
/// when nothing runs.
struct runtime {
  hypervisor::process_id process;
  std::string root_disk;  ///< reflink | qcow2 | overlay, empty before the first start
  std::string image_file; ///< that the root disk stands on; never changes after the first start
  std::string init;       ///< of the image, executed as PID 1; empty: the agent stays PID 1
  std::string hypervisor, confinement, kernel;
  std::string bridge;     ///< that it was connected to when it started; empty: user-mode network
  std::string address;    ///< there, "10.213.0.2/20"; kept for the next start
  std::string in_the_way; ///< what of the host's own rules keeps its NAT from working; for people
  std::uint32_t start_retries = 0;
  std::vector<stage> last_start;
};

struct record {
  vm_id id;
  vm_name name;
  spec wanted;
  state now = state::created;
  runtime machine;
  std::string last_error;
  std::uint64_t created_ms = 0; ///< Unix epoch
  std::string machine_id;       ///< 32 hexadecimal digits, drawn once
  std::uint64_t touched_ms = 0; ///< when it was last made use of; Unix epoch
};

/// How records travel between actors of this process: as snapshots that nobody changes.
using record_ptr = std::shared_ptr<const record>;

std::string spec_to_json(const spec& s);
std::string runtime_to_json(const record& r);
/// `corrupted` names the field.
expected<spec> spec_from_json(std::string_view image, std::string_view text);
expected<void> runtime_from_json(std::string_view text, record& into);

} // namespace banger::vm
