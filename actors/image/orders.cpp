#include "actors/image/orders.hpp"

#include <algorithm>
#include <ctime>

namespace banger::image {

namespace {

std::uint64_t epoch_ms(const std::string& text) {
  std::tm parts{};
  if (::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr)
    return 0;
  return static_cast<std::uint64_t>(::timegm(&parts)) * 1000;
}

std::string about(const shelved& image) {
  if (image.made_at.empty())
    return "damaged; delete it and make it again";
  for (const auto& b : builtin_images())
    if (b.name == image.name && image.include.empty())
      return std::string(b.about);
  return "Debian 12 with " + (image.include.empty() ? "nothing more" : name_list(image.include));
}

messages::image_view to_view(const shelved& image, const std::vector<messages::vm_view>& vms) {
  messages::image_view v;
  v.name = image.name;
  v.present = true;
  v.bytes = image.bytes;
  v.used_bytes = image.used_bytes;
  v.made_ms = epoch_ms(image.made_at);
  v.about = about(image);
  v.include = image.include;
  v.vms = static_cast<std::uint32_t>(standing_on(image.name, vms).size());
  return v;
}

} // namespace

expected<recipe> decide_build(const messages::image_request& request, const image_name& name,
                              const expected<recipe>& present) {
  auto chosen = choose_recipe(name, request.include);
  if (!chosen && chosen.error().code != errc::not_found)
    return chosen;
  const bool there = present || present.error().code != errc::not_found;
  if (there && !request.again)
    return fail(errc::already_exists, "there is an image " + name.str() + " already", {},
                "`banger image build " + name.str() + " --force` makes it again");
  // Made again, it has what it had, unless somebody says otherwise.
  if (present && request.include.empty())
    return present;
  return chosen;
}

std::vector<std::string> standing_on(const std::string& image,
                                     const std::vector<messages::vm_view>& vms) {
  std::vector<std::string> names;
  for (const auto& vm : vms)
    if (vm.image == image)
      names.push_back(vm.name);
  return names;
}

expected<void> check_unused(const std::string& image, const std::vector<messages::vm_view>& vms) {
  auto users = standing_on(image, vms);
  if (users.empty())
    return {};
  constexpr std::size_t shown = 5;
  const auto more = users.size() > shown ? users.size() - shown : 0;
  if (more > 0) {
    users.resize(shown);
    users.push_back(std::to_string(more) + " more");
  }
  return fail(errc::busy, "the image " + image + " is in use",
              "VMs stand on it: " + name_list(users), "delete them first");
}

std::vector<messages::image_view> to_views(const std::vector<shelved>& here,
                                           const std::vector<messages::vm_view>& vms) {
  std::vector<messages::image_view> views;
  views.reserve(here.size());
  for (const auto& image : here)
    views.push_back(to_view(image, vms));
  for (const auto& b : builtin_images()) {
    if (std::any_of(here.begin(), here.end(), [&](const auto& i) { return i.name == b.name; }))
      continue;
    messages::image_view v;
    v.name = b.name;
    v.about = b.about;
    v.vms = static_cast<std::uint32_t>(standing_on(v.name, vms).size());
    views.push_back(std::move(v));
  }
  return views;
}

failure unknown_image(const std::string& name, const std::vector<shelved>& here) {
  std::vector<std::string> known;
  for (const auto& b : builtin_images())
    known.emplace_back(b.name);
  for (const auto& image : here)
    if (std::find(known.begin(), known.end(), image.name) == known.end())
      known.push_back(image.name);
  return {errc::not_found,
          "there is no image '" + name + "'",
          {},
          "images at hand: " + name_list(known),
          {}};
}

} // namespace banger::image
