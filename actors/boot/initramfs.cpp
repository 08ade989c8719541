#include "actors/boot/initramfs.hpp"

#include "actors/boot/newc.hpp"

namespace banger::boot {

std::string make_initramfs(std::string_view banger_init, const std::vector<named_bytes>& modules,
                           std::string_view order) {
  newc_writer archive;
  for (const auto* folder : {"dev", "proc", "sys", "run", "tmp", "mnt", "ro", "rw", "modules"})
    archive.directory(folder);
  // The kernel opens the console for init before devtmpfs can be mounted.
  archive.char_device("dev/console", 0600, 5, 1);
  archive.char_device("dev/null", 0666, 1, 3);
  archive.file("init", banger_init, 0755);
  archive.file("modules/order", order);
  for (const auto& m : modules)
    archive.file("modules/" + m.name, m.bytes);
  return archive.finish();
}

} // namespace banger::boot
