// The least that a command in a fresh VM can cost: the same hypervisor, kernel, initramfs, agent
// and disks as banger uses, driven by one thread without daemon, database or client.
#pragma once

#include "messages/base/error.hpp"

#include <filesystem>
#include <memory>

namespace banger::bench {

struct bare_times {
  double hello_ms = 0; ///< from the launch to the agent's first word
  double root_ms = 0;  ///< ... to disks mounted and identity set
  double true_ms = 0;  ///< ... to the exit status of `true`
  double boot_ms = 0;  ///< ... to the end of what the image's init does, if that was waited for
  double off_ms = 0;   ///< ... to the end of the hypervisor
};

class bare {
public:
  /// `state` and `cache` of a banger that has made kernel and image; `folder` is ours to work in.
  static expected<bare> make(const std::filesystem::path& state, const std::filesystem::path& cache,
                             const std::filesystem::path& init, const std::filesystem::path& folder,
                             const std::string& image = "tiny", std::uint64_t memory_mib = 256);
  ~bare();
  bare(bare&&) noexcept;
  bare& operator=(bare&&) = delete;

  /// One VM from launch to power-off. Disks are made before the clock starts.
  expected<bare_times> run(bool until_booted = false);

private:
  struct parts;
  explicit bare(std::unique_ptr<parts> p);
  std::unique_ptr<parts> parts_;
};

} // namespace banger::bench
