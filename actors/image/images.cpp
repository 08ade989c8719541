#include "actors/image/images.hpp"

#include <malloc.h>
#include <map>

namespace banger::image {

namespace {

using answer_promise = caf::typed_response_promise<image_set_ptr>;

struct waiter {
  answer_promise answer;
  note_listener listener;
};

class images_state : public actor::state_base {
public:
  static inline const char* name = "images";

  void init(images_actor::pointer self, image_folders folders, work::pool& workers) {
    self_ = self;
    folders_ = std::move(folders);
    workers_ = &workers;
  }

  caf::result<image_set_ptr> ensure(const std::string& wanted, const note_listener& listener) {
    const auto parsed = image_name::parse(wanted);
    if (!parsed)
      return actor::to_error(parsed.error());
    if (auto ok = check_known(*parsed); !ok)
      return actor::to_error(ok.error());
    auto answer = self_->make_response_promise<image_set_ptr>();
    auto& waiting = waiting_[wanted];
    waiting.push_back({answer, listener});
    if (waiting.size() == 1)
      make(wanted);
    return answer;
  }

private:
  // In the pool: quick when all is there, since the builders look before they build.
  void make(const std::string& wanted) {
    const images_actor me = self_;
    const auto progress = [me, wanted, this](std::string_view stage, std::string_view detail) {
      note news{std::string(stage), std::string(detail)};
      actor::tell_from_outside(me, work::thunk{[this, wanted, news] { spread(wanted, news); }});
    };
    work::submit(
        *workers_, me,
        [folders = folders_, wanted, progress] { return build(folders, wanted, progress); },
        [this, wanted](expected<image_set> made) { settle(wanted, std::move(made)); });
  }

  static expected<image_set> build(const image_folders& folders, const std::string& wanted,
                                   const storage::progress_fn& progress) {
    auto kernel = boot::ensure_boot_set(
        {folders.kernels, folders.banger_init, folders.package_file}, progress);
    if (!kernel)
      return tl::unexpected(kernel.error());
    const auto name = image_name::parse(wanted);
    const auto what = name ? choose_recipe(*name, {}) : tl::unexpected(name.error());
    if (!what)
      return tl::unexpected(what.error());
    auto image = ensure_image(folders.images / wanted, *what, progress);
    if (!image)
      return tl::unexpected(image.error());
    // A kernel was unpacked in memory, maybe; none of it is needed any more.
    ::malloc_trim(0);
    return image_set{std::move(*image), std::move(*kernel)};
  }

  void spread(const std::string& wanted, const note& news) {
    for (const auto& w : waiting_[wanted])
      actor::tell(self_, w.listener, news);
  }

  void settle(const std::string& wanted, expected<image_set> made) {
    const auto done = std::exchange(waiting_[wanted], {});
    const auto set = made ? std::make_shared<const image_set>(std::move(*made)) : image_set_ptr{};
    for (auto w : done)
      if (set)
        w.answer.deliver(set);
      else
        w.answer.deliver(actor::to_error(made.error()));
  }

  images_actor::pointer self_ = nullptr;
  image_folders folders_;
  work::pool* workers_ = nullptr;
  std::map<std::string, std::vector<waiter>>
      waiting_; ///< by image; one build runs for each that has any
};

images_actor::behavior_type images(images_actor::stateful_pointer<images_state> self,
                                   image_folders folders, work::pool* workers) {
  static_assert(actor::sound_state<images_state>);
  actor::make_sturdy(self);
  auto& state = self->state;
  state.init(self, std::move(folders), *workers);
  return {
      [&state](ensure_atom, const std::string& wanted, const note_listener& listener) {
        return state.ensure(wanted, listener);
      },
      [](const work::thunk& t) { t.run(); },
  };
}

} // namespace

expected<void> check_known(const image_name& wanted) {
  if (choose_recipe(wanted, {}))
    return {};
  return fail(errc::not_found, "there is no image '" + wanted.str() + "'", {},
              "images at hand: debian-bookworm, tiny");
}

images_actor spawn_images(caf::actor_system& system, image_folders folders, work::pool& workers) {
  return system.spawn(images, std::move(folders), &workers);
}

} // namespace banger::image
