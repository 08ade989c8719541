#include "actors/image/workshop.hpp"

#include <atomic>
#include <malloc.h>

namespace banger::image {

namespace {

class disk_workshop : public workshop {
public:
  explicit disk_workshop(image_folders folders) : folders_(std::move(folders)) {}

  expected<boot::boot_set> kernel(const storage::progress_fn& progress,
                                  const std::stop_token& stop) override {
    auto made = boot::ensure_boot_set(wanted(), progress, stop);
    // A kernel was unpacked in memory, maybe; none of it is needed any more.
    ::malloc_trim(0);
    return made;
  }

  expected<std::optional<boot::boot_set>> find_kernel() override {
    auto found = boot::find_boot_set(wanted());
    if (found && *found)
      init_ = (*found)->init;
    return found;
  }

  expected<std::optional<image_info>> find(const image_name& name) override {
    return find_image(folder(name));
  }

  expected<image_info> ensure(const image_name& name, const storage::progress_fn& progress,
                              const std::stop_token& stop) override {
    // One that was made with more packages keeps them, should it have to be made again.
    auto what = look(name);
    if (!what && what.error().code == errc::not_found)
      what = choose_recipe(name, {});
    if (!what)
      return tl::unexpected(what.error());
    return ensure_image(folder(name), *what, progress, stop);
  }

  expected<image_info> build(const recipe& what, const storage::progress_fn& progress,
                             const std::stop_token& stop) override {
    auto made = build_image(folders_.images / what.name, what, progress, stop);
    ::malloc_trim(0);
    return made;
  }

  expected<recipe> look(const image_name& name) override { return recipe_of(folder(name)); }
  std::vector<shelved> list() override { return list_images(folders_.images); }
  void tidy() override { tidy_images(folders_.images); }
  void prune(const image_name& name) override { prune_image(folder(name)); }
  expected<void> remove(const image_name& name) override {
    return remove_image(folders_.images, name.str());
  }

private:
  std::filesystem::path folder(const image_name& name) const {
    return folders_.images / name.str();
  }

  boot::boot_request wanted() const {
    return {folders_.kernels, folders_.banger_init, folders_.package_file, init_};
  }

  image_folders folders_;
  std::atomic<std::shared_ptr<const boot::known_init>> init_; ///< several look at once
};

} // namespace

std::shared_ptr<workshop> make_workshop(image_folders folders) {
  return std::make_shared<disk_workshop>(std::move(folders));
}

} // namespace banger::image
