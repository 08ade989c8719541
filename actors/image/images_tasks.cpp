// How tasks of the images actor begin and end.
#include "actors/image/images_state.hpp"
#include "actors/image/orders.hpp"

#include <algorithm>

namespace banger::image {

using namespace messages;

namespace {

std::shared_ptr<const boot::boot_set> shared(boot::boot_set set) {
  return std::make_shared<const boot::boot_set>(std::move(set));
}

} // namespace

void images_state::join(const std::string& key, party who) {
  auto& t = tasks_[key];
  const bool first = t.parties.empty() && t.leaving.empty() && !t.stop.stop_requested();
  t.parties.push_back(std::move(who));
  if (first)
    start(key);
}

// A look takes no place among the builds, which take minutes.
void images_state::start(const std::string& key) {
  using sight = std::optional<product>;
  if (tasks_.at(key).build)
    return make(key);
  const auto look = [shop = crew_.shop, key]() -> expected<sight> {
    if (key == the_kernel)
      return shop->find_kernel().map([](std::optional<boot::boot_set> set) {
        return set ? sight(product{shared(std::move(*set)), {}}) : std::nullopt;
      });
    return shop->find(*image_name::parse(key)).map([](std::optional<image_info> image) {
      return image ? sight(product{{}, std::move(image)}) : std::nullopt;
    });
  };
  submit(crew_.briefly, look, [this, key](const expected<sight>& found) { looked(key, found); });
}

void images_state::looked(const std::string& key, const expected<std::optional<product>>& found) {
  const auto& t = tasks_.at(key);
  if (t.stop.stop_requested())
    return settle(key, tl::unexpected(cancelled()));
  // Meanwhile somebody ordered it to be made in any case.
  if (t.build)
    return make(key);
  if (!found)
    return settle(key, tl::unexpected(found.error()));
  if (*found)
    return settle(key, **found);
  if (draining_)
    return settle(key, tl::unexpected(leaving()));
  make(key);
}

void images_state::make(const std::string& key) {
  const images_actor me = self_;
  auto& t = tasks_.at(key);
  t.making = true;
  const auto progress = [me, key, this](std::string_view stage, std::string_view detail) {
    note news{std::string(stage), std::string(detail)};
    actor::tell_from_outside(me, work::thunk{[this, key, news] { spread(key, news); }});
  };
  const auto job = [shop = crew_.shop, key, progress, build = t.build,
                    stop = t.stop.get_token()]() -> expected<product> {
    if (key == the_kernel)
      return shop->kernel(progress, stop).map([](boot::boot_set set) {
        return product{shared(std::move(set)), {}};
      });
    auto image = build ? shop->build(*build, progress, stop)
                       : shop->ensure(*image_name::parse(key), progress, stop);
    return std::move(image).map([](image_info info) { return product{{}, std::move(info)}; });
  };
  submit(crew_.at_length, job, [this, key](const expected<product>& made) { settle(key, made); });
}

void images_state::spread(const std::string& key, const note& news) {
  const auto it = tasks_.find(key);
  if (it == tasks_.end())
    return;
  const auto now = self_->clock().now();
  for (const auto& p : it->second.parties)
    if (p.op.empty()) {
      actor::tell(self_, p.listener, news);
    } else {
      const auto since = std::chrono::duration_cast<std::chrono::microseconds>(now - p.began);
      actor::tell(self_, crew_.operations,
                  messages::progress{p.op, news.stage, news.detail,
                                     static_cast<std::uint64_t>(since.count())});
    }
}

void images_state::settle(const std::string& key, const expected<product>& made) {
  auto t = std::move(tasks_.at(key));
  tasks_.erase(key);
  for (auto& p : t.leaving)
    conclude(std::move(p), made);
  // Those who came while it was being ended have it made anew.
  const bool ended = t.stop.stop_requested() && !made && !draining_;
  if (ended && t.build && !t.parties.empty())
    tasks_[key].build = t.build;
  for (auto& p : t.parties)
    if (ended)
      join(key, std::move(p));
    else
      conclude(std::move(p), made);
  if (made && t.build)
    prune({key});
  tell_drained();
}

void images_state::conclude(party who, const expected<product>& made) {
  if (!made)
    return end(who, &made.error());
  if (!who.op.empty())
    return end(who, nullptr);
  if (made->kernel) {
    who.kernel = made->kernel;
    const auto image = who.image;
    return join(image, std::move(who));
  }
  who.answer->deliver(std::make_shared<const image_set>(image_set{*made->image, *who.kernel}));
}

void images_state::end(const party& who, const failure* why) {
  if (who.answer) {
    auto answer = *who.answer;
    answer.deliver(actor::to_error(*why));
    return;
  }
  finished news;
  news.op = who.op;
  if (why != nullptr)
    news.error = {static_cast<std::uint8_t>(why->code), why->what, why->why, why->remedy, who.op};
  actor::tell(self_, crew_.operations, news);
}

void images_state::stop_if_alone(task& t) {
  if (t.parties.empty())
    t.stop.request_stop();
}

// The files of earlier builds live as long as a VM may stand on one of them.
void images_state::prune(std::vector<std::string> names) {
  if (!crew_.prunes)
    return;
  with_vms([this, names = std::move(names)](const expected<std::vector<vm_view>>& vms) {
    for (const auto& image : names)
      if (vms && standing_on(image, *vms).empty() && tasks_.count(image) == 0)
        crew_.briefly([shop = crew_.shop, name = *image_name::parse(image)] { shop->prune(name); });
  });
}

void images_state::tell_drained() {
  if (draining_ && tasks_.empty())
    for (auto& waiting : std::exchange(drained_, {}))
      actor::done(waiting);
}

} // namespace banger::image
