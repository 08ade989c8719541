// What the images actor has done for it, by threads that may block. One implementation works on the
// disk; tests have another.
#pragma once

#include "actors/boot/kernel.hpp"
#include "actors/image/shelf.hpp"

#include <memory>
#include <optional>

namespace banger::image {

struct image_folders {
  std::filesystem::path images, kernels;
  std::filesystem::path banger_init;  ///< goes into the initramfs
  std::filesystem::path package_file; ///< a kernel package at hand; empty: apt fetches it
};

class workshop {
public:
  workshop() = default;
  workshop(const workshop&) = delete;
  workshop& operator=(const workshop&) = delete;
  virtual ~workshop() = default;

  virtual expected<boot::boot_set> kernel(const storage::progress_fn& progress,
                                          const std::stop_token& stop) = 0;
  /// What is there already, in milliseconds; none: it is to be made. `corrupted`.
  virtual expected<std::optional<boot::boot_set>> find_kernel() = 0;
  virtual expected<std::optional<image_info>> find(const image_name& name) = 0;
  /// The image, made if it is not there. `not_found`: nothing is known under this name.
  virtual expected<image_info> ensure(const image_name& name, const storage::progress_fn& progress,
                                      const std::stop_token& stop) = 0;
  /// Made, whatever is there.
  virtual expected<image_info> build(const recipe& what, const storage::progress_fn& progress,
                                     const std::stop_token& stop) = 0;
  /// What the image there was made from. `not_found`, `corrupted`.
  virtual expected<recipe> look(const image_name& name) = 0;
  virtual std::vector<shelved> list() = 0;
  /// Removes what killed builds left.
  virtual void tidy() = 0;
  virtual void prune(const image_name& name) = 0;
  virtual expected<void> remove(const image_name& name) = 0;
};

std::shared_ptr<workshop> make_workshop(image_folders folders);

} // namespace banger::image
