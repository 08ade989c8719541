// Texts out of JSON that somebody else wrote.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace banger::io {

/// Empty where `object` is none, or has no text under this key.
inline std::string text_of(const nlohmann::json& object, const char* key) {
  if (!object.is_object())
    return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

} // namespace banger::io
